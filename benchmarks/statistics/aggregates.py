"""One number from many scores."""

from __future__ import annotations

import numpy as np


def iqm(scores: np.ndarray, axis: int = -1) -> np.ndarray:
    """Interquartile mean: the mean of the middle half, a quarter (rounded down) cut at each end.

    As `scipy.stats.trim_mean(scores, 0.25)`, so as in Agarwal et al. 2021 ("Deep RL at the edge of the statistical
    precipice"), by partial sorting along one axis.
    """
    n = scores.shape[axis]
    cut = n // 4
    if not cut:
        return scores.mean(axis)
    middle = np.partition(scores, (cut, n - cut - 1), axis)
    return np.take(middle, np.arange(cut, n - cut), axis).mean(axis)


def low_tail(task_scores: np.ndarray, percent: float = 20.0) -> float:
    """A low percentile over tasks: what an agent does on those it is bad at. task_scores: [N]."""
    return float(np.percentile(task_scores, percent))


def optimality_gap(scores: np.ndarray) -> float:
    """How far scores fall short of 1 on average; what exceeds 1 makes up for nothing."""
    return float(1.0 - np.minimum(scores, 1.0).mean())
