"""The two-way bootstrap: seeds and tasks drawn with replacement, replicates averaged before.

Cells of one seed share its weights, cells of one task its difficulty; a bootstrap of cells takes both for noise and
calls identical agents different half of the time. Here each repetition draws whole seeds and whole tasks (Owen 2007,
"The pigeonhole bootstrap").
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

REPETITIONS = 10_000
FEWEST_SEEDS = 5  # with fewer there is no interval: the points themselves are shown
LEVEL = 0.95
CHUNK = 4_000_000  # numbers drawn at once, to stay in the cache


class Interval(NamedTuple):
    """Percentiles of a bootstrap distribution."""

    low: float
    high: float


@dataclass(frozen=True)
class Resampling:
    """R repetitions: which of S seeds and which of N tasks each one has drawn."""

    seeds: np.ndarray  # int [R, S]
    tasks: np.ndarray  # int [R, N]

    @staticmethod
    def draw(num_seeds: int, num_tasks: int, who: str, where: str, repetitions: int = REPETITIONS) -> Resampling:
        """who: whose training seeds these are, so that entrants that share trained weights get the same ones; where:
        whose tasks, so that agents met on the same tasks differ by more than the draw of those."""
        from metarl.core.rng import numpy_generator  # torch's, which `metarl --help` does not wait for

        seeds = numpy_generator("bootstrap seeds", who).integers(num_seeds, size=(repetitions, num_seeds))
        tasks = numpy_generator("bootstrap tasks", where).integers(num_tasks, size=(repetitions, num_tasks))
        return Resampling(seeds, tasks)

    def iqm(self, scores: np.ndarray) -> np.ndarray:
        """[R]: interquartile mean over the drawn cells of scores [S, N].

        The cells are sorted once. How often each was drawn, summed along that order and held between the quarters that
        are cut, says how many of the kept ones lie below it: the mean is a weighted sum of the steps between cells.
        """
        size, tasks = scores.size, scores.shape[1]
        cut = size // 4
        order = np.argsort(scores, axis=None)
        values = scores.ravel()[order].astype(np.float64)
        middle = size // 2  # steps are counted from here, so that what lies far out and is cut adds exactly nothing
        steps = np.diff(values).astype(np.float32)
        at_once = max(1, CHUNK // size)
        parts = []
        for start in range(0, len(self.seeds), at_once):
            rows = slice(start, start + at_once)
            drawn = self.seed_counts[rows].take(order // tasks, 1) * self.task_counts[rows].take(order % tasks, 1)
            below = np.cumsum(drawn, 1, out=drawn)  # whole numbers, exact in float32
            kept = np.clip(below - cut, 0, size - 2 * cut, out=below)
            kept[:, middle:] -= size - 2 * cut
            parts.append(kept[:, :-1] @ -steps)
        return values[middle] + np.concatenate(parts).astype(np.float64) / (size - 2 * cut)

    def mean(self, scores: np.ndarray) -> np.ndarray:
        """[R, ...]: mean over the drawn cells of scores [S, N, ...]."""
        s, n, *rest = scores.shape
        cells = scores.astype(np.float32).reshape(s * n, -1)
        at_once = max(1, CHUNK // len(cells))
        parts = []
        for start in range(0, len(self.seeds), at_once):
            rows = slice(start, start + at_once)
            weights = self.seed_shares[rows, :, None] * self.task_shares[rows, None, :]
            parts.append(weights.reshape(-1, s * n) @ cells)
        return np.concatenate(parts).astype(np.float64).reshape(-1, *rest)

    @cached_property
    def seed_counts(self) -> np.ndarray:
        """float32 [R, S]: how often each was drawn."""
        return counts(self.seeds)

    @cached_property
    def task_counts(self) -> np.ndarray:
        """float32 [R, N]: how often each was drawn."""
        return counts(self.tasks)

    @cached_property
    def seed_shares(self) -> np.ndarray:
        """float32 [R, S]: the share of each among those drawn."""
        return self.seed_counts / self.seeds.shape[1]

    @cached_property
    def task_shares(self) -> np.ndarray:
        """float32 [R, N]: the share of each among those drawn."""
        return self.task_counts / self.tasks.shape[1]


def counts(drawn: np.ndarray) -> np.ndarray:
    """float32 [R, S]: how often each index is among those drawn, int [R, S]."""
    repetitions, size = drawn.shape
    at = drawn + size * np.arange(repetitions)[:, None]
    return np.bincount(at.ravel(), minlength=repetitions * size).reshape(repetitions, size).astype(np.float32)


def interval(draws: np.ndarray, level: float = LEVEL) -> Interval:
    """Percentile interval of draws [R]."""
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(draws, (tail, 100.0 - tail))
    return Interval(float(low), float(high))


def bands(draws: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Percentile intervals of draws [R, ...], elementwise: low [...] and high [...]."""
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(draws, (tail, 100.0 - tail), axis=0)
    return low, high
