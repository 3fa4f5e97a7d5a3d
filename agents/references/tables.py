"""The base class of algorithms for tabular MDPs: statistics of each state and action, and planning."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import gymnasium as gym
import torch
from torch import Tensor

from metarl.checks import check_whole
from metarl.core.rng import numpy_generator
from metarl.core.trials import Step
from metarl.errors import MetarlError

Backup = Callable[[Tensor], Tensor]  # values of the next states [B, S] -> values of actions [B, S, A]


@dataclass(frozen=True)
class TableSettings:
    """Settings of an algorithm for tabular MDPs."""

    horizon: int = 10
    """steps in an episode"""
    seed: int = 0
    """seed of the draws from the posterior"""

    def __post_init__(self) -> None:
        check_whole(self, "horizon", low=1)
        check_whole(self, "seed", low=0)


class TableAgent(ABC):
    """An agent that makes a plan at the start of each episode from its experience, and follows the plan.

    Its prior is the distribution of the tasks: rows of the transitions are Dirichlet(1), mean rewards are N(1, 1), and
    rewards have noise N(0, 1).
    """

    def __init__(self, observation_space: gym.Space, action_space: gym.Space, settings: TableSettings) -> None:
        shape = observation_space.shape
        if not isinstance(action_space, gym.spaces.Discrete) or shape is None or len(shape) != 1:
            raise MetarlError(
                f"an algorithm for tabular MDPs needs one-hot states and a Discrete action space, not "
                f"{observation_space} and {action_space}"
            )
        self.states, self.actions = shape[0], int(action_space.n)
        self.horizon, self.seed = settings.horizon, settings.seed

    @abstractmethod
    def backup(self) -> Backup:
        """Return the Bellman backup that plans the next episode."""

    def begin(self, num_envs: int) -> None:
        cells = (num_envs, self.states, self.actions)
        self.transition_counts = torch.zeros(*cells, self.states)
        self.reward_sums = torch.zeros(cells)
        self.rng = numpy_generator(self.seed, type(self).__name__)
        self.rows = torch.arange(num_envs)
        self.time = self.steps = 0

    def act(self, obs: Tensor) -> Tensor:
        if self.time == 0:
            self.plan = greedy_plan(self.backup(), self.reward_sums.shape[:2], self.horizon)
        self.state = obs.cpu().argmax(1)
        self.action = self.plan[self.time, self.rows, self.state]
        return self.action.to(obs.device)

    def observe(self, step: Step) -> None:
        index = (self.rows, self.state, self.action)
        self.transition_counts[(*index, step.final_obs.cpu().argmax(1))] += 1.0
        self.reward_sums[index] += step.reward.cpu()
        self.steps += 1
        self.time = (self.time + 1) % self.horizon

    @property
    def visits(self) -> Tensor:
        """Visits of each state and action [B, S, A]."""
        return self.transition_counts.sum(3)

    def mean_reward(self) -> Tensor:
        """Return the posterior mean [B, S, A] of rewards; the posterior variance is 1 / (visits + 1)."""
        return (self.reward_sums + 1.0) / (self.visits + 1.0)

    def drawn_model(self) -> tuple[Tensor, Tensor]:
        """Return mean rewards [B, S, A] and transitions [B, S, A, S], one draw from the posterior."""
        noise = torch.from_numpy(self.rng.standard_normal(self.reward_sums.shape, dtype="float32"))
        rewards = self.mean_reward() + noise / (self.visits + 1.0).sqrt()
        gammas = torch.from_numpy(self.rng.standard_gamma((self.transition_counts + 1.0).numpy(), dtype="float32"))
        return rewards, gammas / gammas.sum(3, keepdim=True)


def greedy_plan(backup: Backup, shape: tuple[int, ...], horizon: int) -> Tensor:
    """Return the best action in each step of an episode, int64 [H, B, S]. shape: (B, S)."""
    value, plan = torch.zeros(shape), []
    for _ in range(horizon):
        value, action = backup(value).max(2)
        plan.append(action)
    return torch.stack(plan[::-1])


def expected(transitions: Tensor, value: Tensor) -> Tensor:
    """Return the mean of `value` [B, S] at the next state, [B, S, A]."""
    b, s, a, _ = transitions.shape
    return torch.bmm(transitions.reshape(b, s * a, s), value[:, :, None]).reshape(b, s, a)
