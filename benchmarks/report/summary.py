"""Numbers with their intervals, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metarl.benchmarks.statistics.aggregates import iqm
from metarl.benchmarks.statistics.bootstrap import FEWEST_SEEDS, Resampling, bands, interval


@dataclass(frozen=True)
class Sample:
    """The bootstrap's draws of seeds and tasks for one method on one eval set."""

    resampling: Resampling
    enough: bool  # seeds for an interval

    @staticmethod
    def of(scores: np.ndarray, weights: str, tasks: str, trained: bool) -> Sample:
        """Draw seeds and tasks for scores [S, N, ...].

        weights, tasks: keys of the random numbers. Methods with the same weights get the same seeds, methods on the
        same tasks the same tasks. A method without training has no seeds, and no interval.
        """
        from metarl.core.rng import numpy_generator  # imports torch, which `metarl --help` does without

        seed_rng, task_rng = numpy_generator("bootstrap seeds", weights), numpy_generator("bootstrap tasks", tasks)
        resampling = Resampling.draw(len(scores), scores.shape[1], seed_rng, task_rng)
        return Sample(resampling, trained and len(scores) >= FEWEST_SEEDS)


def summary(scores: np.ndarray, sample: Sample) -> dict[str, Any]:
    """Return the IQM with its interval, mean, median and the IQM of each seed, of scores [S, N]."""
    low, high = interval(sample.resampling.iqm(scores)) if sample.enough else (None, None)
    return {
        "iqm": float(iqm(scores.ravel())), "low": low, "high": high, "mean": float(scores.mean()),
        "median": float(np.median(scores)), "seeds": iqm(scores).tolist(),
    }  # fmt: skip


def curve(x: np.ndarray, scores: np.ndarray, sample: Sample) -> dict[str, Any]:
    """Return the mean over seeds and tasks at each x [X] with its interval, and each seed's mean. scores: [S, N, X]."""
    low, high = bands(sample.resampling.mean(scores)) if sample.enough else (None, None)
    return {
        "x": x.tolist(), "mean": scores.mean((0, 1)).tolist(), "seeds": scores.mean(1).tolist(),
        "low": None if low is None else low.tolist(), "high": None if high is None else high.tolist(),
    }  # fmt: skip
