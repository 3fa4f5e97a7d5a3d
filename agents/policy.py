"""An actor-critic living through a trial: the same code acts in training and in evaluation.

What it sees in a step is (observation, last action, last reward, done flag), the rule of RL² (Duan et al. 2016): at a
new episode the flag is set and the last action and reward are those that ended the old one. Without memory, or where
memory is wiped at each episode, nothing of the old episode is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import gymnasium as gym
import torch
from torch import Tensor, nn

from metarl.agents.networks import ActorCritic, Memory
from metarl.agents.normalization import RunningNorm
from metarl.checks import check_number, check_whole
from metarl.errors import MetarlError
from metarl.trials import Step


@dataclass(frozen=True)
class PolicySettings:
    """The shape of an actor-critic."""

    memory: Memory = "gru"
    """what carries over from step to step"""
    wipe_memory: bool = False
    """forget everything at each new episode: a control that shows what memory across episodes is worth"""
    hidden_size: int = 128
    """units of the memory, or of the first layer without one"""
    head_size: int = 128
    """units of the actor's and the critic's hidden layer"""
    initial_std: float = 0.6
    """standard deviation of actions at the start of training; actions live in [-1, 1]"""

    def __post_init__(self) -> None:
        check_whole(self, "hidden_size", "head_size", low=1)
        check_number(self, "initial_std", above=0)
        if self.memory not in ("gru", "lstm", "none"):
            raise MetarlError(f"memory must be gru, lstm or none, got {self.memory!r}")
        if self.wipe_memory and self.memory == "none":
            raise MetarlError("there is no memory to wipe: memory is 'none', nothing is remembered from step to step")


class Policy(nn.Module):
    """Networks and the normalisation of what goes into them."""

    def __init__(self, observation_space: gym.Space, action_space: gym.Space, settings: PolicySettings) -> None:
        super().__init__()
        if not isinstance(observation_space, gym.spaces.Box) or len(observation_space.shape) != 1:
            raise MetarlError(f"this agent sees vectors, not {observation_space}")
        if not isinstance(action_space, gym.spaces.Box) or len(action_space.shape) != 1:
            raise MetarlError(f"this agent acts by vectors in a Box, not by {action_space}")
        self.settings = settings
        self.observation_size, self.action_size = observation_space.shape[0], action_space.shape[0]
        self.remembers = settings.memory != "none"
        input_size = self.observation_size + (self.action_size + 2 if self.remembers else 0)
        self.network = ActorCritic(
            settings.memory, input_size, self.observation_size, CLOCK_SIZE, self.action_size, settings.hidden_size,
            settings.head_size, settings.initial_std,
        )  # fmt: skip
        self.observation_norm = RunningNorm((self.observation_size,))
        self.reward_norm = RunningNorm(())
        self.value_norm = RunningNorm((), limit=VALUE_SAMPLES)  # the critic's targets grow as the agent learns

    def inputs(self, obs: Tensor, last: Last) -> Tensor:
        """What the networks see, [..., I], from observations [..., N] and what came before."""
        now = self.observation_norm(obs)
        if not self.remembers:
            return now
        reward = self.reward_norm.scale(last.reward).clamp(-10.0, 10.0)
        return torch.cat([now, last.action, reward.unsqueeze(-1), last.done.to(now.dtype).unsqueeze(-1)], -1)


CLOCK_SIZE = 3
VALUE_SAMPLES = 500_000.0


def clock(time: Tensor, episode: Tensor, horizon: int, episodes: int) -> Tensor:
    """float32 [..., 3]: shares of the trial and of the episode gone by, for the critic alone."""
    in_episode = time / horizon
    return torch.stack([(episode + in_episode) / episodes, in_episode, episode / episodes], -1).float()


class Last(NamedTuple):
    """What came before an observation; zeros at the start of a trial."""

    action: Tensor  # float32 [..., A], as the world applied it: within [-1, 1]
    reward: Tensor  # float32 [...], raw
    done: Tensor  # bool [...], the episode ended with that step


class PolicyAgent:
    """A policy living through trials (contract 8). Actions are sampled, or the mean where `deterministic`."""

    def __init__(self, policy: Policy, deterministic: bool, generator: torch.Generator | None = None) -> None:
        self.policy = policy
        self.deterministic = deterministic
        self.generator = generator
        self.inputs: Tensor  # what the last `act` saw, computed and chose, for whoever records it
        self.features: Tensor
        self.mean: Tensor
        self.action: Tensor

    def begin(self, num_envs: int) -> None:
        device = self.policy.network.log_std.device
        self.state = self._next_state = self.policy.network.initial_state(num_envs)
        self.last = Last(
            torch.zeros(num_envs, self.policy.action_size, device=device),
            torch.zeros(num_envs, device=device),
            torch.zeros(num_envs, dtype=torch.bool, device=device),
        )

    @torch.no_grad()
    def act(self, obs: Tensor) -> Tensor:
        network = self.policy.network
        if obs.shape != (len(self.state), self.policy.observation_size):
            want = [len(self.state), self.policy.observation_size]
            raise MetarlError(f"this agent sees observations of shape {want}, got {list(obs.shape)}")
        self.inputs = self.policy.inputs(obs, self.last)
        self.features, self._next_state = network.step(self.inputs, self.state)
        self.mean = self.action = network.actor(self.features)
        if not self.deterministic:
            noise = torch.empty_like(self.mean).normal_(generator=self.generator)
            self.action = torch.addcmul(self.mean, noise, network.log_std.exp())
        return self.action.clamp(-1.0, 1.0)

    @torch.no_grad()
    def observe(self, step: Step) -> None:
        if not self.policy.remembers:
            return
        done = step.terminated | step.truncated
        # An environment at rest lived through nothing: its memory and what it saw last stay as they were.
        rest = step.resting
        self.state = torch.where(rest.unsqueeze(1), self.state, self._next_state)
        self.last = Last(
            torch.where(rest.unsqueeze(1), self.last.action, self.action.clamp(-1.0, 1.0)),
            torch.where(rest, self.last.reward, step.reward),
            torch.where(rest, self.last.done, done),
        )
        if self.policy.settings.wipe_memory:
            keep = ~self.last.done
            self.state = self.state * keep.unsqueeze(1)
            self.last = Last(self.last.action * keep.unsqueeze(1), self.last.reward * keep, self.last.done & keep)
