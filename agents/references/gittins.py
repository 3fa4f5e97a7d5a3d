"""The Gittins index policy: each arm judged alone, exactly."""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium as gym
from torch import Tensor

from metarl.agents.references.arms import ArmsAgent
from metarl.agents.references.gittins_index import discounted_indices, finite_horizon_indices
from metarl.checks import check_number, check_whole
from metarl.core.agent import AgentType
from metarl.errors import MetarlError


@dataclass(frozen=True)
class GittinsSettings:
    """What the indices are computed for."""

    pulls: int = 100
    """in a trial"""
    discount: float = 1.0
    """1: the index of the pulls that are left; below 1: Gittins' own, of a life without end so discounted"""
    seed: int = 0
    """of ties"""

    def __post_init__(self) -> None:
        check_whole(self, "pulls", low=1)
        check_number(self, "discount", above=0.0, high=1.0)
        check_whole(self, "seed", low=0)


class GittinsAgent(ArmsAgent):
    """The arm of the highest index (Gittins 1979); see `gittins_index.py` for what is computed and how."""

    def __init__(self, action_space: gym.Space, settings: GittinsSettings) -> None:
        super().__init__(action_space, settings.seed)
        self.pulls_ahead, self.discount = settings.pulls, settings.discount

    def scores(self) -> Tensor:
        left = self.pulls_ahead - self.time
        if left < 1:
            raise MetarlError(f"the Gittins agent was made for {self.pulls_ahead} pulls: set pulls higher")
        successes = self.paid.long()
        if self.discount < 1.0:
            table = discounted_indices(self.pulls_ahead, self.discount)
        else:
            table = finite_horizon_indices(self.pulls_ahead)[left - 1]
        return table[successes, self.pulls.long() - successes]


GITTINS = AgentType(
    "gittins", GittinsSettings, None, lambda _, actions, settings, *__: GittinsAgent(actions, settings),
    # At 500 pulls the finite-horizon indices take two minutes to compute, and earn the same.
    tuned={
        f"Bandit{k}N{n}": {"pulls": n, **({"discount": 0.998} if n == 500 else {})}
        for k in (5, 10, 50) for n in (10, 100, 500)
    },
    about="reference on Bernoulli bandits: the arm of the highest Gittins index",
)  # fmt: skip
