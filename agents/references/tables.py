"""What algorithms for tabular MDPs share: what was seen of each state and action, and planning."""

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
    """What is known of every task."""

    horizon: int = 10
    """steps of an episode"""
    seed: int = 0
    """of draws from the posterior"""

    def __post_init__(self) -> None:
        check_whole(self, "horizon", low=1)
        check_whole(self, "seed", low=0)


class TableAgent(ABC):
    """Plans at the start of each episode from what it has seen, and follows the plan.

    Believes, before the first step, that rows of the transitions are Dirichlet(1) and mean rewards N(1, 1), observed
    with noise N(0, 1): the distribution of the MDP distributions.
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
        """A Bellman backup to plan with in the coming episode."""

    def begin(self, num_envs: int) -> None:
        cells = (num_envs, self.states, self.actions)
        self.seen = torch.zeros(*cells, self.states)  # transitions
        self.earned = torch.zeros(cells)  # sums of rewards
        self.rng = numpy_generator(self.seed, type(self).__name__)
        self.rows = torch.arange(num_envs)
        self.time = self.steps = 0

    def act(self, obs: Tensor) -> Tensor:
        if self.time == 0:
            self.plan = greedy_plan(self.backup(), self.earned.shape[:2], self.horizon)
        self.state = obs.cpu().argmax(1)
        self.action = self.plan[self.time, self.rows, self.state]
        return self.action.to(obs.device)

    def observe(self, step: Step) -> None:
        at = (self.rows, self.state, self.action)
        self.seen[(*at, step.final_obs.cpu().argmax(1))] += 1.0
        self.earned[at] += step.reward.cpu()
        self.steps += 1
        self.time = (self.time + 1) % self.horizon

    @property
    def visits(self) -> Tensor:
        """[B, S, A]"""
        return self.seen.sum(3)

    def mean_reward(self) -> Tensor:
        """[B, S, A]: mean of the posterior, whose variance is 1 / (visits + 1)."""
        return (self.earned + 1.0) / (self.visits + 1.0)

    def drawn_model(self) -> tuple[Tensor, Tensor]:
        """Mean rewards [B, S, A] and transitions [B, S, A, S], one draw from the posterior."""
        noise = torch.from_numpy(self.rng.standard_normal(self.earned.shape, dtype="float32"))
        rewards = self.mean_reward() + noise / (self.visits + 1.0).sqrt()
        gammas = torch.from_numpy(self.rng.standard_gamma((self.seen + 1.0).numpy(), dtype="float32"))
        return rewards, gammas / gammas.sum(3, keepdim=True)


def greedy_plan(backup: Backup, shape: tuple[int, ...], horizon: int) -> Tensor:
    """int64 [H, B, S]: the best action in each step of an episode. shape: (B, S)."""
    value, plan = torch.zeros(shape), []
    for _ in range(horizon):
        value, action = backup(value).max(2)
        plan.append(action)
    return torch.stack(plan[::-1])


def expected(transitions: Tensor, value: Tensor) -> Tensor:
    """[B, S, A]: mean of `value` [B, S] at the next state."""
    b, s, a, _ = transitions.shape
    return torch.bmm(transitions.reshape(b, s * a, s), value[:, :, None]).reshape(b, s, a)
