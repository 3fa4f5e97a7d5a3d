"""UCB1: optimism in the face of uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass

import gymnasium as gym
from torch import Tensor

from metarl.agents.references.arms import ArmsAgent
from metarl.checks import check_number, check_whole
from metarl.core.agent import AgentType


@dataclass(frozen=True)
class UCB1Settings:
    """How optimistic to be."""

    c: float = 0.2
    """factor of the bonus; 1 is what the regret bound of Auer et al. (2002) needs, far too much for short lives"""
    seed: int = 0
    """of ties"""

    def __post_init__(self) -> None:
        check_number(self, "c", low=0.0)
        check_whole(self, "seed", low=0)


class UCB1Agent(ArmsAgent):
    r"""Mean plus $c \sqrt{2 \ln t / n_i}$ (Auer, Cesa-Bianchi and Fischer 2002).

    Each arm counts as pulled once more than it was, and its mean is that of a uniform prior: so no arm must be tried
    first, which 10 pulls of 50 arms have no time for.
    """

    def __init__(self, action_space: gym.Space, settings: UCB1Settings) -> None:
        super().__init__(action_space, settings.seed)
        self.c = settings.c

    def scores(self) -> Tensor:
        bonus = (2.0 * math.log(self.time + 1) / (self.pulls + 1.0)).sqrt()
        return self.posterior_mean() + self.c * bonus


UCB1 = AgentType(
    "ucb1", UCB1Settings, None, lambda _, actions, settings, *__: UCB1Agent(actions, settings),
    tuned={
        **{f"Bandit{k}N{n}": {"c": 0.1} for k, n in ((5, 10), (10, 10), (50, 10), (10, 100), (50, 100), (50, 500))},
        "GaussianBandit5N100": {"c": 1.0},
    },
    about="reference on bandits: upper confidence bounds",
)  # fmt: skip
