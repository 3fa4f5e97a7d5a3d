"""UCB1: the arm of the highest upper confidence bound."""

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
    """Settings of UCB1."""

    c: float = 0.2
    """factor of the exploration bonus; the regret bound of Auer et al. (2002) needs 1, far too much for short trials"""
    seed: int = 0
    """seed of the choice between ties"""

    def __post_init__(self) -> None:
        check_number(self, "c", low=0.0)
        check_whole(self, "seed", low=0)


class UCB1Agent(ArmsAgent):
    r"""An agent that pulls the arm with the highest mean plus $c \sqrt{2 \ln t / n_i}$.

    See Auer, Cesa-Bianchi and Fischer (2002). $n_i$ is one more than the pulls of the arm, and the mean is the
    posterior mean under a uniform prior. The agent therefore does not need to pull each arm first; with 50 arms and 10
    pulls it could not.
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
