"""Numbers of one score of one method, as plain data: what the tables print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from metarl.benchmarks.statistics.aggregates import iqm
from metarl.benchmarks.statistics.bootstrap import FEWEST_SEEDS, Resampling, bands, interval


@dataclass(frozen=True)
class Sample:
    """Which seeds and tasks a repetition draws, and whether that says anything."""

    resampling: Resampling
    enough: bool  # seeds for an interval

    @staticmethod
    def of(scores: np.ndarray, who: str, where: str, trained: bool) -> Sample:
        """scores: [S, N, ...]. An method that nothing was learned for has no seeds to vary."""
        return Sample(
            Resampling.draw(len(scores), scores.shape[1], who, where), trained and len(scores) >= FEWEST_SEEDS
        )


def summary(scores: np.ndarray, sample: Sample) -> dict[str, Any]:
    """IQM with its interval, mean, median and the points, of scores [S, N]."""
    low, high = interval(sample.resampling.iqm(scores)) if sample.enough else (None, None)
    return {
        "iqm": float(iqm(scores.ravel())), "low": low, "high": high, "mean": float(scores.mean()),
        "median": float(np.median(scores)), "seeds": iqm(scores).tolist(),
    }  # fmt: skip


def curve(x: np.ndarray, scores: np.ndarray, sample: Sample) -> dict[str, Any]:
    """Mean over seeds and tasks at each x [X], with a band; one line a seed. scores: [S, N, X]."""
    low, high = bands(sample.resampling.mean(scores)) if sample.enough else (None, None)
    return {
        "x": x.tolist(), "mean": scores.mean((0, 1)).tolist(), "seeds": scores.mean(1).tolist(),
        "low": None if low is None else low.tolist(), "high": None if high is None else high.tolist(),
    }  # fmt: skip
