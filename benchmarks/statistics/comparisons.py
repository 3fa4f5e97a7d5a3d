"""Comparisons of methods: tests, probability of improvement, ranks.

Scores are [S, N]: training seeds, tasks; replicates averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metarl.benchmarks.statistics.bootstrap import Resampling


def welch(a: np.ndarray, b: np.ndarray) -> float:
    """Return the two-sided p-value of Welch's t-test (1947) on seed means a [S] and b [S']; NaN with fewer than 2 seeds
    on either side."""
    from scipy import stats

    if min(len(a), len(b)) < 2:
        return float("nan")
    if np.ptp(a) == 0 and np.ptp(b) == 0:  # the t statistic is undefined without variance
        return 1.0 if a[0] == b[0] else 0.0
    result: Any = stats.ttest_ind(a, b, equal_var=False)  # scipy makes its class at run time
    return float(result.pvalue)


def holm(p: Sequence[float]) -> list[float]:
    r"""Return p-values corrected for their number m (Holm 1979): $\max_{j \le i} (m - j + 1) p_{(j)}$; NaNs stay."""
    order = [i for i in np.argsort(p) if not np.isnan(p[i])]
    corrected, highest = [float("nan")] * len(p), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p[i]))
        corrected[i] = highest
    return corrected


def wins(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return 1 where a's seed scores higher than b's seed on the task, 1/2 where they are equal, else 0: [S, S', N]."""
    left, right = a[:, None, :], b[None, :, :]
    return (left > right) + 0.5 * (left == right)


def improvement(a: np.ndarray, b: np.ndarray) -> float:
    """Return the probability that a random seed of `a` scores higher than a random seed of `b` on a random task.

    It is a Mann-Whitney statistic by task, averaged (probability of improvement, Agarwal et al. 2021).
    """
    return float(wins(a, b).mean())


def improvement_draws(a: np.ndarray, b: np.ndarray, of_a: Resampling, of_b: Resampling) -> np.ndarray:
    """Return the probability of improvement in each repetition, [R]; both resamplings must have the same tasks."""
    won = wins(a, b).astype(np.float32).reshape(-1, a.shape[1])
    pairs = of_a.seed_weights[:, :, None] * of_b.seed_weights[:, None, :]
    by_task = pairs.reshape(len(pairs), -1) @ won
    return np.einsum("rn,rn->r", by_task, of_a.task_weights).astype(np.float64)


def profile(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Return the fraction of (seed, task) pairs whose score is above each threshold [C] (performance profile): [C]."""
    return (scores.ravel()[:, None] > thresholds).mean(0)


def ranks(draws: np.ndarray) -> np.ndarray:
    """Return each agent's rank (1 is best) in each repetition of draws [A, R]: [A, R]; ties get the mean rank."""
    from scipy import stats

    return stats.rankdata(-draws, axis=0)
