"""Aggregates: one number from many scores."""

from __future__ import annotations

import numpy as np


def iqm(scores: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return the interquartile mean along an axis: a quarter of the scores, rounded down, is cut at each end.

    Equals `scipy.stats.trim_mean(scores, 0.25)`, the definition of Agarwal et al. 2021 ("Deep RL at the edge of the
    statistical precipice"), and sorts only partially.
    """
    n = scores.shape[axis]
    cut = n // 4
    if not cut:
        return scores.mean(axis)
    middle = np.partition(scores, (cut, n - cut - 1), axis)
    return np.take(middle, np.arange(cut, n - cut), axis).mean(axis)


def low_tail(task_scores: np.ndarray, percent: float = 20.0) -> float:
    """Return a low percentile over tasks, the score on an agent's worst tasks. task_scores: [N]."""
    return float(np.percentile(task_scores, percent))


def optimality_gap(scores: np.ndarray) -> float:
    """Return the mean of max(0, 1 - score)."""
    return float(1.0 - np.minimum(scores, 1.0).mean())
