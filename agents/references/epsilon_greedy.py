"""Epsilon-greedy: the arm that looks best, now and then any."""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium as gym
import torch
from torch import Tensor

from metarl.agents.references.arms import ArmsAgent
from metarl.checks import check_number, check_whole
from metarl.core.agent import AgentType


@dataclass(frozen=True)
class EpsilonGreedySettings:
    """How often to try something else."""

    epsilon: float = 0.05
    """probability of an arm at random"""
    seed: int = 0
    """of what is random"""

    def __post_init__(self) -> None:
        check_number(self, "epsilon", low=0.0, high=1.0)
        check_whole(self, "seed", low=0)


class EpsilonGreedyAgent(ArmsAgent):
    """Greedy on the posterior mean, but with probability epsilon any arm."""

    def __init__(self, action_space: gym.Space, settings: EpsilonGreedySettings) -> None:
        super().__init__(action_space, settings.seed)
        self.epsilon = settings.epsilon

    def scores(self) -> Tensor:
        mean = self.posterior_mean()
        astray = self.random(len(mean), 1) < self.epsilon
        return torch.where(astray, self.random(*mean.shape), mean)


EPSILON_GREEDY = AgentType(
    "epsilon-greedy", EpsilonGreedySettings, None,
    lambda _, actions, settings, *__: EpsilonGreedyAgent(actions, settings),
    about="reference on bandits: the best arm so far, with probability epsilon any",
)  # fmt: skip
