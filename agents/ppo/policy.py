"""An actor-critic: its networks, and the normalisation of their inputs.

The input of a step is (observation, last action, last reward, done flag), as in RL² (Duan et al. 2016). At a new episode
the flag is set, and the last action and reward are those that ended the old one. Without memory, or where memory is
wiped at each episode, the input holds nothing of the old episode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, get_args

import gymnasium as gym
import torch
from torch import Tensor, nn

from metarl.agents.action_distributions import ActionDistribution
from metarl.agents.action_spaces import action_space_of
from metarl.agents.networks.actor_critic import ActorCritic, Memory, PolicyInput
from metarl.agents.networks.encoders import encoder_of
from metarl.agents.networks.normalization import RunningNorm
from metarl.checks import check_number, check_whole
from metarl.errors import MetarlError

CLOCK_SIZE = 3
VALUE_SAMPLES = 500_000.0  # samples that the statistics of values are taken over; the targets grow as the agent learns


@dataclass(frozen=True)
class PolicySettings:
    """Settings of an actor-critic."""

    memory: Memory = "gru"
    """what carries over from step to step; associative: the result of each step, stored under its input"""
    wipe_memory: bool = False
    """clear the memory at each new episode: a control that shows what memory across episodes is worth"""
    hidden_size: int = 128
    """units of the memory, or of the first layer without memory"""
    head_size: int = 128
    """units of the hidden layer of actor and critic"""
    encoder_size: int = 128
    """features that planes and pixels are encoded into; vectors are not encoded"""
    initial_std: float = 0.6
    """standard deviation of continuous actions at the start of training; actions lie in [-1, 1]"""

    @property
    def predicts_rewards(self) -> bool:
        """Whether the networks have a head for an auxiliary loss."""
        return False

    def __post_init__(self) -> None:
        check_whole(self, "hidden_size", "head_size", "encoder_size", low=1)
        check_number(self, "initial_std", above=0)
        if self.memory not in (kinds := get_args(Memory)):
            raise MetarlError(f"memory must be {', '.join(kinds[:-1])} or {kinds[-1]}, got {self.memory!r}")
        if self.wipe_memory and self.memory == "none":
            raise MetarlError("there is no memory to wipe: memory is 'none', nothing is remembered from step to step")


class Previous(NamedTuple):
    """The step before an observation; zeros at the start of a trial."""

    action: Tensor  # float32 [..., A], as the world applied it: within [-1, 1]; one-hot where it is one of n
    reward: Tensor  # float32 [...], raw
    done: Tensor  # bool [...], the episode ended with that step


class Policy(nn.Module):
    """Networks and the normalisation of their inputs."""

    def __init__(self, observation_space: gym.Space, action_space: gym.Space, settings: PolicySettings) -> None:
        super().__init__()
        encoder = encoder_of(observation_space, settings.encoder_size)
        self.settings = settings
        self.actions = action_space_of(action_space)
        self.observation_shape: tuple[int, ...] = observation_space.shape  # type: ignore[assignment]
        self.has_memory = settings.memory != "none"
        self.prev_size = self.actions.encoded_size + 2 if self.has_memory else 0
        self.network = ActorCritic(
            settings.memory, encoder, settings.encoder_size if encoder else self.observation_shape[0],
            self.prev_size, CLOCK_SIZE, self.actions, settings.hidden_size, settings.head_size, settings.initial_std,
            settings.predicts_rewards,
        )  # fmt: skip
        # Boards and pictures have a scale of their own.
        self.observation_norm = None if encoder else RunningNorm(self.observation_shape)
        self.reward_norm = RunningNorm(())
        self.value_norm = RunningNorm((), limit=VALUE_SAMPLES)

    def input(self, obs: Tensor, previous: Previous) -> PolicyInput:
        """Return the input of the networks, from observations [..., *observation] and the step before."""
        obs = obs if self.observation_norm is None else self.observation_norm(obs)
        if not self.has_memory:
            return PolicyInput(obs, previous.reward.new_zeros(*previous.reward.shape, 0))
        reward = self.reward_norm.scale(previous.reward).clamp(-10.0, 10.0)
        return PolicyInput(
            obs, torch.cat([previous.action, reward.unsqueeze(-1), previous.done.float().unsqueeze(-1)], -1)
        )

    def dist(self, dist_params: Tensor) -> ActionDistribution:
        """Return the distribution of actions, from the actor's output [..., P]."""
        return self.actions.dist(dist_params, self.network.log_std)


def clock(time: Tensor, episode: Tensor, horizon: int, episodes: int) -> Tensor:
    """Return float32 [..., 3]: the elapsed shares of trial and episode, an input of the critic alone."""
    in_episode = time / horizon
    return torch.stack([(episode + in_episode) / episodes, in_episode, episode / episodes], -1).float()
