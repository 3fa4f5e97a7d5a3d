"""Epsilon-greedy: the arm of the highest posterior mean, or at times a random one."""

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
    """Settings of epsilon-greedy."""

    epsilon: float = 0.05
    """probability of a random arm"""
    seed: int = 0
    """seed of the random arms and of ties"""

    def __post_init__(self) -> None:
        check_number(self, "epsilon", low=0.0, high=1.0)
        check_whole(self, "seed", low=0)


class EpsilonGreedyAgent(ArmsAgent):
    """An agent that pulls the arm of the highest posterior mean, and with probability epsilon a random arm."""

    def __init__(self, action_space: gym.Space, settings: EpsilonGreedySettings) -> None:
        super().__init__(action_space, settings.seed)
        self.epsilon = settings.epsilon

    def scores(self) -> Tensor:
        mean = self.posterior_mean()
        explores = self.random(len(mean), 1) < self.epsilon
        return torch.where(explores, self.random(*mean.shape), mean)


EPSILON_GREEDY = AgentType(
    "epsilon-greedy", EpsilonGreedySettings, None,
    lambda _, actions, settings, *__: EpsilonGreedyAgent(actions, settings),
    about="reference on bandits: the best arm so far, with probability epsilon a random one",
)  # fmt: skip
