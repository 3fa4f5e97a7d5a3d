"""An actor-critic policy: its networks, and the normalisation of their inputs.

The input at a step is (observation, last action, last reward, done flag), as in RL² (Duan et al. 2016). At the start of
an episode the flag is set, and the last action and reward are those that ended the previous one. Without memory, or if
the memory is wiped at each episode, the input contains nothing of the previous episode.
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
VALUE_SAMPLES = 500_000.0  # limit of the statistics of targets, which change as the agent learns


@dataclass(frozen=True)
class PolicySettings:
    """Settings of an actor-critic."""

    memory: Memory = "gru"
    """memory of the policy; associative stores the result of each step under its input"""
    wipe_memory: bool = False
    """clear the memory at each new episode, a control that shows the effect of memory across episodes"""
    hidden_size: int = 128
    """units of the memory, or of the first layer without memory"""
    head_size: int = 128
    """units of the hidden layers of actor and critic"""
    encoder_size: int = 128
    """features that planes and pixels are encoded into; vectors have no encoder"""
    initial_std: float = 0.6
    """standard deviation of continuous actions at the start of training; actions lie in [-1, 1]"""

    @property
    def predicts_rewards(self) -> bool:
        """Whether the network has a head that predicts rewards, for an auxiliary loss."""
        return False

    def __post_init__(self) -> None:
        check_whole(self, "hidden_size", "head_size", "encoder_size", low=1)
        check_number(self, "initial_std", above=0)
        if self.memory not in (kinds := get_args(Memory)):
            raise MetarlError(f"memory must be {', '.join(kinds[:-1])} or {kinds[-1]}, got {self.memory!r}")
        if self.wipe_memory and self.memory == "none":
            raise MetarlError("there is no memory to wipe: memory is 'none', so leave out wipe_memory")


class Previous(NamedTuple):
    """The step before an observation; zero at the start of a trial."""

    action: Tensor  # float32 [..., A], encoded: within [-1, 1], or one-hot if it is one of n
    reward: Tensor  # float32 [...], raw
    done: Tensor  # bool [...], whether the episode ended with that step


class Policy(nn.Module):
    """The actor-critic network, and running statistics of observations, rewards and values."""

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
        # Planes and pixels are scaled by the encoder.
        self.observation_norm = None if encoder else RunningNorm(self.observation_shape)
        self.reward_norm = RunningNorm(())
        self.value_norm = RunningNorm((), limit=VALUE_SAMPLES)

    def input(self, obs: Tensor, previous: Previous) -> PolicyInput:
        """Return the input of the network for observations [..., *observation] and the previous step."""
        obs = obs if self.observation_norm is None else self.observation_norm(obs)
        if not self.has_memory:
            return PolicyInput(obs, previous.reward.new_zeros(*previous.reward.shape, 0))
        reward = self.reward_norm.scale(previous.reward).clamp(-10.0, 10.0)
        return PolicyInput(
            obs, torch.cat([previous.action, reward.unsqueeze(-1), previous.done.float().unsqueeze(-1)], -1)
        )

    def dist(self, dist_params: Tensor) -> ActionDistribution:
        """Return the action distribution for the actor's outputs [..., P]."""
        return self.actions.dist(dist_params, self.network.log_std)


def clock(time: Tensor, episode: Tensor, horizon: int, episodes: int) -> Tensor:
    """Return the elapsed fractions of the trial and of its episode, float32 [..., 3], an input of the critic alone."""
    in_episode = time / horizon
    return torch.stack([(episode + in_episode) / episodes, in_episode, episode / episodes], -1).float()
