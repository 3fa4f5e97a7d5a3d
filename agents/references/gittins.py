"""The Gittins index policy: the arm of the highest index, which depends on this arm's history alone."""

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
    """Settings of the Gittins index policy."""

    pulls: int = 100
    """pulls in a trial"""
    discount: float = 1.0
    """1: index of the remaining pulls, undiscounted; below 1: Gittins' index of infinitely many pulls, so discounted"""
    seed: int = 0
    """seed of the choice between ties"""

    def __post_init__(self) -> None:
        check_whole(self, "pulls", low=1)
        check_number(self, "discount", above=0.0, high=1.0)
        check_whole(self, "seed", low=0)


class GittinsAgent(ArmsAgent):
    """An agent that pulls the arm of the highest index (Gittins 1979); gittins_index.py computes the indices."""

    def __init__(self, action_space: gym.Space, settings: GittinsSettings) -> None:
        super().__init__(action_space, settings.seed)
        self.max_pulls, self.discount = settings.pulls, settings.discount

    def scores(self) -> Tensor:
        left = self.max_pulls - self.time
        if left < 1:
            raise MetarlError(f"the Gittins indices were computed for {self.max_pulls} pulls: set pulls higher")
        successes = self.reward_sums.long()
        if self.discount < 1.0:
            table = discounted_indices(self.max_pulls, self.discount)
        else:
            table = finite_horizon_indices(self.max_pulls)[left - 1]
        return table[successes, self.pulls.long() - successes]


GITTINS = AgentType(
    "gittins", GittinsSettings, None, lambda _, actions, settings, *__: GittinsAgent(actions, settings),
    # At 500 pulls the finite-horizon indices take two minutes to compute, and the return is the same.
    tuned={
        f"Bandit{k}N{n}": {"pulls": n, **({"discount": 0.998} if n == 500 else {})}
        for k in (5, 10, 50) for n in (10, 100, 500)
    },
    about="reference on Bernoulli bandits: the arm of the highest Gittins index",
)  # fmt: skip
