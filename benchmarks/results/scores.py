"""Scores of returns, as pure functions. S training seeds, K episodes, N tasks, E replicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVELS = (0.5, 0.8, 0.9)  # fractions of the oracle's return whose first episode is reported


@dataclass(frozen=True)
class Scale:
    r"""The map from raw returns to scores, $y = (R - R_{random,t}) / D$.

    $D = \frac{1}{N} \sum_t (R_{oracle,t} - R_{random,t})$, over the tasks of the scored eval set, is one denominator
    for the distribution, so that tasks on which oracle and random are close do not dominate. Scores are not clipped.
    """

    random: np.ndarray  # [N], R_random,t
    oracle: np.ndarray  # [N], R_oracle,t
    denominator: float  # D

    def scores(self, returns: np.ndarray) -> np.ndarray:
        """Return y of returns [..., N, E]."""
        return (returns - self.random[:, None]) / self.denominator

    def bins(self, rates: np.ndarray, horizon: int) -> np.ndarray:
        """Return y of an episode whose every step has the mean reward `rates` [..., N]."""
        return (rates * horizon - self.random) / self.denominator


@dataclass(frozen=True)
class Scores:
    """The scores of one method on one eval set."""

    y: np.ndarray  # [S, K, N, E]

    @property
    def auac(self) -> np.ndarray:
        """[S, N]: area under the adaptation curve, the mean of y over episodes and replicates."""
        return self.y.mean((1, 3))

    @property
    def first(self) -> np.ndarray:
        """[S, N]: score of the first episode."""
        return self.y[:, 0].mean(2)

    @property
    def last(self) -> np.ndarray:
        """[S, N]: score of the last episode."""
        return self.y[:, -1].mean(2)

    @property
    def gain(self) -> np.ndarray:
        """[S, N]: score of the last episode minus the first one's."""
        return self.last - self.first

    @property
    def forgetting(self) -> np.ndarray:
        """[S, N]: score of the best episode minus the last one's, replicates averaged; at least 0."""
        episodes = self.y.mean(3)
        return episodes.max(1) - episodes[:, -1]

    @property
    def by_task(self) -> np.ndarray:
        """[N]: AUAC, seeds averaged."""
        return self.auac.mean(0)

    def regret(self, auac: float) -> float:
        """Return K (1 - AUAC): the regret to the oracle over a trial, in units of the denominator D."""
        return self.y.shape[1] * (1.0 - auac)


def experience_to_level(returns: np.ndarray, steps: np.ndarray, scale: Scale, level: float) -> np.ndarray:
    """Return the env steps up to the end of the first episode that reaches a level: [S, N', E], infinite if none does.

    An episode reaches the level if its return is at least random + level * (oracle - random) of its task. The N' tasks
    are those whose oracle return is above the random one.

    returns, steps: [S, K, N, E].
    """
    difference = scale.oracle - scale.random
    use = difference > 0
    reached = returns[:, :, use] >= (scale.random + level * difference)[use, None]
    experience = np.cumsum(steps[:, :, use], axis=1)
    return np.where(reached, experience, np.inf).min(1)


def solved_fraction(reached: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the fraction of trials that reached the level by each number of env steps `at` [X]: [S, X].

    reached: [S, N, E], from `experience_to_level`.
    """
    trials = reached.reshape(len(reached), -1)
    return (trials[:, :, None] <= at).mean(1)


def restricted_mean(reached: np.ndarray, limit: float) -> float:
    """Return the mean of min(experience, limit), the area above the solved-fraction curve.

    It is defined for trials that did not reach the level, too (restricted mean of censored data, Irwin 1949).
    """
    return float(np.minimum(reached, limit).mean())
