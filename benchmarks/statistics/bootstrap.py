"""The two-way bootstrap: seeds and tasks are drawn with replacement, replicates are averaged before.

Scores of one seed share its weights, scores of one task its difficulty. A bootstrap of single (seed, task) pairs
ignores this, and finds identical agents different half of the time. Here each repetition draws whole seeds and whole
tasks (Owen 2007, "The pigeonhole bootstrap").
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

REPETITIONS = 10_000
FEWEST_SEEDS = 5  # with fewer, no interval is computed and single seeds are shown
LEVEL = 0.95
CHUNK = 4_000_000  # numbers computed at once, to stay in the cache


class Interval(NamedTuple):
    """Percentiles of a bootstrap distribution."""

    low: float
    high: float


@dataclass(frozen=True)
class Resampling:
    """The seeds (of S) and tasks (of N) drawn in each of R repetitions."""

    seeds: np.ndarray  # int [R, S]
    tasks: np.ndarray  # int [R, N]

    @staticmethod
    def draw(
        num_seeds: int,
        num_tasks: int,
        seed_rng: np.random.Generator,
        task_rng: np.random.Generator,
        repetitions: int = REPETITIONS,
    ) -> Resampling:
        """Draw seeds and tasks, each from its own generator.

        Methods that share trained weights should be given equal seed generators, and methods on the same tasks equal
        task generators: their differences are then paired.
        """
        seeds = seed_rng.integers(num_seeds, size=(repetitions, num_seeds))
        tasks = task_rng.integers(num_tasks, size=(repetitions, num_tasks))
        return Resampling(seeds, tasks)

    def iqm(self, scores: np.ndarray) -> np.ndarray:
        """Return the interquartile mean of the drawn scores in each repetition, [R]; scores: [S, N].

        The scores are sorted once. The cumulative count of draws in that order, clipped to the middle half, is the
        number of kept draws up to each score. The mean is a sum of the differences between successive scores, weighted
        by these counts.
        """
        size, tasks = scores.size, scores.shape[1]
        cut = size // 4
        order = np.argsort(scores, axis=None)
        values = scores.ravel()[order].astype(np.float64)
        middle = size // 2  # differences are summed from here, so that outliers that are cut add exactly 0
        differences = np.diff(values).astype(np.float32)
        at_once = max(1, CHUNK // size)
        parts = []
        for start in range(0, len(self.seeds), at_once):
            rows = slice(start, start + at_once)
            drawn = self.seed_counts[rows].take(order // tasks, 1) * self.task_counts[rows].take(order % tasks, 1)
            below = np.cumsum(drawn, 1, out=drawn)  # whole numbers, exact in float32
            kept = np.clip(below - cut, 0, size - 2 * cut, out=below)
            kept[:, middle:] -= size - 2 * cut
            parts.append(kept[:, :-1] @ -differences)
        return values[middle] + np.concatenate(parts).astype(np.float64) / (size - 2 * cut)

    def mean(self, scores: np.ndarray) -> np.ndarray:
        """Return the mean of the drawn scores in each repetition, [R, ...]; scores: [S, N, ...]."""
        s, n, *rest = scores.shape
        pairs = scores.astype(np.float32).reshape(s * n, -1)  # (seed, task) pairs
        at_once = max(1, CHUNK // len(pairs))
        parts = []
        for start in range(0, len(self.seeds), at_once):
            rows = slice(start, start + at_once)
            weights = self.seed_weights[rows, :, None] * self.task_weights[rows, None, :]
            parts.append(weights.reshape(-1, s * n) @ pairs)
        return np.concatenate(parts).astype(np.float64).reshape(-1, *rest)

    @cached_property
    def seed_counts(self) -> np.ndarray:
        """float32 [R, S]: number of times that each seed was drawn."""
        return counts(self.seeds)

    @cached_property
    def task_counts(self) -> np.ndarray:
        """float32 [R, N]: number of times that each task was drawn."""
        return counts(self.tasks)

    @cached_property
    def seed_weights(self) -> np.ndarray:
        """float32 [R, S]: fraction of the draws that are each seed."""
        return self.seed_counts / self.seeds.shape[1]

    @cached_property
    def task_weights(self) -> np.ndarray:
        """float32 [R, N]: fraction of the draws that are each task."""
        return self.task_counts / self.tasks.shape[1]


def counts(drawn: np.ndarray) -> np.ndarray:
    """Return the number of times that each index was drawn, float32 [R, S]; drawn: int [R, S]."""
    repetitions, size = drawn.shape
    at = drawn + size * np.arange(repetitions)[:, None]
    return np.bincount(at.ravel(), minlength=repetitions * size).reshape(repetitions, size).astype(np.float32)


def interval(draws: np.ndarray, level: float = LEVEL) -> Interval:
    """Return the percentile interval of draws [R]."""
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(draws, (tail, 100.0 - tail))
    return Interval(float(low), float(high))


def bands(draws: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Return the elementwise percentile intervals of draws [R, ...]: low [...] and high [...]."""
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(draws, (tail, 100.0 - tail), axis=0)
    return low, high
