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

from metarl.benchmarks.statistics.aggregates import iqm

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
        from metarl.counted import numpy_generator  # torch's, which `metarl --help` does not wait for

        seeds = numpy_generator("bootstrap seeds", who).integers(num_seeds, size=(repetitions, num_seeds))
        tasks = numpy_generator("bootstrap tasks", where).integers(num_tasks, size=(repetitions, num_tasks))
        return Resampling(seeds, tasks)

    def iqm(self, scores: np.ndarray) -> np.ndarray:
        """[R]: interquartile mean over the drawn cells of scores [S, N]."""
        scores = scores.astype(np.float32)
        size = max(1, CHUNK // scores.size)
        parts = []
        for start in range(0, len(self.seeds), size):
            rows = slice(start, start + size)
            cells = scores[self.seeds[rows, :, None], self.tasks[rows, None, :]]
            parts.append(iqm(cells.reshape(len(cells), -1)))
        return np.concatenate(parts).astype(np.float64)

    def mean(self, scores: np.ndarray) -> np.ndarray:
        """[R, ...]: mean over the drawn cells of scores [S, N, ...]."""
        s, n, *rest = scores.shape
        flat = scores.astype(np.float32).reshape(s, n, -1)
        columns = max(1, CHUNK // (len(self.seeds) * n))
        parts = []
        for start in range(0, flat.shape[2], columns):
            part = np.ascontiguousarray(flat[:, :, start : start + columns])
            by_task = (self._seed_weights @ part.reshape(s, -1)).reshape(-1, n, part.shape[2])
            parts.append(np.einsum("rn,rnc->rc", self._task_weights, by_task))
        return np.concatenate(parts, 1).astype(np.float64).reshape(-1, *rest)

    @cached_property
    def _seed_weights(self) -> np.ndarray:
        return shares(self.seeds)

    @cached_property
    def _task_weights(self) -> np.ndarray:
        return shares(self.tasks)


def shares(drawn: np.ndarray) -> np.ndarray:
    """float32 [R, S]: the share of each index among those drawn, int [R, S]."""
    repetitions, size = drawn.shape
    at = drawn + size * np.arange(repetitions)[:, None]
    return (np.bincount(at.ravel(), minlength=repetitions * size) / size).reshape(repetitions, size).astype(np.float32)


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
