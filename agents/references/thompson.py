"""Thompson sampling: draw a bandit from the posterior and act optimally in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.agents.references.arms import ArmsAgent
from metarl.checks import check_whole
from metarl.core.agent import AgentType
from metarl.core.rng import numpy_generator


@dataclass(frozen=True)
class ThompsonSettings:
    """Settings of Thompson sampling."""

    prior: Literal["beta", "normal"] = "beta"
    """beta: rewards of 0 or 1, uniform prior; normal: means ~ N(0, 1), rewards with noise N(0, 1)"""
    seed: int = 0
    """seed of the draws"""

    def __post_init__(self) -> None:
        check_whole(self, "seed", low=0)


class ThompsonAgent(ArmsAgent):
    """An agent that pulls the best arm of one draw from the exact posterior (Thompson 1933)."""

    def __init__(self, action_space: gym.Space, settings: ThompsonSettings) -> None:
        super().__init__(action_space, settings.seed)
        self.settings = settings

    def begin(self, num_envs: int) -> None:
        super().begin(num_envs)
        self.rng = numpy_generator(self.settings.seed, "Thompson sampling")

    def scores(self) -> Tensor:
        if self.settings.prior == "normal":
            precision = (self.pulls + 1.0).numpy()
            mean = self.reward_sums.numpy() / precision
            means = self.rng.standard_normal(precision.shape) / np.sqrt(precision) + mean
        else:
            means = self.rng.beta((self.reward_sums + 1.0).numpy(), (self.pulls - self.reward_sums + 1.0).numpy())
        return torch.from_numpy(means)


THOMPSON = AgentType(
    "thompson", ThompsonSettings, None, lambda _, actions, settings, *__: ThompsonAgent(actions, settings),
    tuned={"GaussianBandit5N100": {"prior": "normal"}},
    about="reference on bandits: the best arm of one draw from the posterior",
)  # fmt: skip
