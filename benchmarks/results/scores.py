"""Scores of lifetimes, as pure functions. S training seeds, K episodes, N tasks, E replicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVELS = (0.5, 0.8, 0.9)  # shares of the reference that are asked for by when they are reached


@dataclass(frozen=True)
class Scale:
    r"""From raw returns to scores, $y = (R - R_{random,t}) / D$ with one denominator for the distribution,
    $D = \frac{1}{N} \sum_t (R_{reference,t} - R_{random,t})$ over the tasks of its scored eval set, so that no task on
    which nothing can be gained dominates. Never clipped."""

    floor: np.ndarray  # [N] R_random,t
    best: np.ndarray  # [N] R_reference,t
    denominator: float  # D

    def scores(self, returns: np.ndarray) -> np.ndarray:
        """y of returns [..., N, E]."""
        return (returns - self.floor[:, None]) / self.denominator

    def bins(self, rates: np.ndarray, horizon: int) -> np.ndarray:
        """y of rates [..., N], mean rewards a step of an episode in parts: what a whole episode of that would score."""
        return (rates * horizon - self.floor) / self.denominator


@dataclass(frozen=True)
class Scores:
    """One method on one eval set."""

    y: np.ndarray  # [S, K, N, E]

    @property
    def auac(self) -> np.ndarray:
        """[S, N]: area under the adaptation curve, the mean of y over the lifetime and over replicates."""
        return self.y.mean((1, 3))

    @property
    def first(self) -> np.ndarray:
        """[S, N]: of the first episode."""
        return self.y[:, 0].mean(2)

    @property
    def last(self) -> np.ndarray:
        """[S, N]: of the last episode."""
        return self.y[:, -1].mean(2)

    @property
    def gain(self) -> np.ndarray:
        """[S, N]: last episode minus first."""
        return self.last - self.first

    @property
    def forgetting(self) -> np.ndarray:
        """[S, N]: best episode so far minus the last one, replicates averaged; at least 0."""
        episodes = self.y.mean(3)
        return episodes.max(1) - episodes[:, -1]

    @property
    def by_task(self) -> np.ndarray:
        """[N]: AUAC, seeds averaged."""
        return self.auac.mean(0)

    def regret(self, auac: float) -> float:
        """K (1 - AUAC): episodes' worth of the reference that were missed."""
        return self.y.shape[1] * (1.0 - auac)


def experience(returns: np.ndarray, steps: np.ndarray, scale: Scale, level: float) -> np.ndarray:
    """[S, N', E]: env steps lived by the end of the first episode that reached `level` of the way from the floor to the
    task's own reference; infinite where none did. Tasks whose reference is not above the floor are left out.

    returns, steps: [S, K, N, E].
    """
    way = scale.best - scale.floor
    use = way > 0
    reached = returns[:, :, use] >= (scale.floor + level * way)[use, None]
    lived = np.cumsum(steps[:, :, use], axis=1)
    return np.where(reached, lived, np.inf).min(1)


def solved(reached: np.ndarray, at: np.ndarray) -> np.ndarray:
    """[S, X]: share of lives that had reached the level by each amount of experience `at` [X]; reached: [S, N, E]."""
    lives = reached.reshape(len(reached), -1)
    return (lives[:, :, None] <= at).mean(1)


def restricted_mean(reached: np.ndarray, limit: float) -> float:
    """Mean experience to reach the level, at most `limit` for each life: the area above the solved-fraction curve,
    which is known for censored lives too (Irwin 1949)."""
    return float(np.minimum(reached, limit).mean())
