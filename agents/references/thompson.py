"""Thompson sampling: draw a world from the posterior, act best in it."""

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
    """What the arms are believed to be before the first pull."""

    prior: Literal["beta", "normal"] = "beta"
    """beta: payments of 0 or 1, uniform chances; normal: means ~ N(0, 1), payments with noise N(0, 1)"""
    seed: int = 0
    """of the draws"""

    def __post_init__(self) -> None:
        check_whole(self, "seed", low=0)


class ThompsonAgent(ArmsAgent):
    """The arm that is best in one draw from the exact posterior (Thompson 1933)."""

    def __init__(self, action_space: gym.Space, settings: ThompsonSettings) -> None:
        super().__init__(action_space, settings.seed)
        self.settings = settings

    def begin(self, num_envs: int) -> None:
        super().begin(num_envs)
        self.rng = numpy_generator(self.settings.seed, "Thompson sampling")

    def scores(self) -> Tensor:
        if self.settings.prior == "normal":
            precision = (self.pulls + 1.0).numpy()
            drawn = self.rng.standard_normal(precision.shape) / np.sqrt(precision) + self.paid.numpy() / precision
        else:
            drawn = self.rng.beta((self.paid + 1.0).numpy(), (self.pulls - self.paid + 1.0).numpy())
        return torch.from_numpy(drawn)


THOMPSON = AgentType(
    "thompson", ThompsonSettings, None, lambda _, actions, settings, *__: ThompsonAgent(actions, settings),
    tuned={"GaussianBandit5N100": {"prior": "normal"}},
    about="reference on bandits: the best arm of one draw from the posterior",
)  # fmt: skip
