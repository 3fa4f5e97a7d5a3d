"""The evaluation of one method on one eval set, as plain data."""

from __future__ import annotations

from typing import Any

import numpy as np

from metarl.benchmarks.report.summary import Sample, curve, summary
from metarl.benchmarks.results.results import Results, SeedResults
from metarl.benchmarks.results.scores import (
    LEVELS,
    Scale,
    Scores,
    experience_to_level,
    restricted_mean,
    solved_fraction,
)
from metarl.benchmarks.statistics.aggregates import low_tail, optimality_gap
from metarl.benchmarks.statistics.comparisons import profile
from metarl.benchmarks.suites.suite import SuiteEntry

POINTS = 60  # of a solved-fraction curve
THRESHOLDS = np.linspace(-0.25, 1.25, 61)  # of a performance profile


def eval_set_data(results: Results, entry: SuiteEntry, method: str, eval_set: str) -> dict[str, Any] | None:
    """Return returns, and scores where there is a scale; None where the method was not evaluated on the eval set."""
    result = results.evals.get((entry.label, method, eval_set))
    if result is None:
        return None
    data: dict[str, Any] = {
        "seeds": list(result.seeds), "replicates": result.returns.shape[3],
        "returns": result.returns.mean((0, 2, 3)).tolist(), "steps": result.steps.mean((0, 2, 3)).tolist(),
        "returns_by_seed": result.returns.mean((2, 3)).tolist(),
    }  # fmt: skip
    scale = results.scale(entry, eval_set)
    return data | (_scored(results, entry, method, eval_set, result, scale) if scale else {})


def sample_of(results: Results, entry: SuiteEntry, method: str, eval_set: str, scores: np.ndarray) -> Sample:
    """Return the bootstrap's draws for a method on an eval set.

    Tasks are shared by all methods, seeds by methods with the same weights.
    """
    owner = results.methods[method].owner
    trained = any(m["trained"] for k, m in results.metas.items() if (k.entry, k.method) == (entry.label, method))
    return Sample.of(scores, f"{owner} {entry.label}", f"{entry.label} {eval_set}", trained)


def _scored(
    results: Results, entry: SuiteEntry, method: str, eval_set: str, result: SeedResults, scale: Scale
) -> dict[str, Any]:
    scores = Scores(scale.scores(result.returns))
    auac = scores.auac
    sample = sample_of(results, entry, method, eval_set, auac)
    rows = {name: summary(getattr(scores, name), sample) for name in ("auac", "first", "last", "gain", "forgetting")}
    bins = scale.bins(result.rates, result.horizon)  # [S, K, BINS, N]
    bins = np.moveaxis(bins, 3, 1).reshape(*auac.shape, -1)
    return rows | {
        "regret": scores.regret(rows["auac"]["iqm"]), "low_tail": low_tail(scores.by_task),
        "optimality_gap": optimality_gap(auac), "by_task": scores.by_task.tolist(),
        "profile": {"x": THRESHOLDS.tolist(), "fraction": profile(auac, THRESHOLDS).tolist()},
        "curve": curve(result.time, bins, sample), "by_episode": _by_episode(result, scores, sample),
        "reached": {str(level): _reached(result, scale, level, sample) for level in LEVELS},
    }  # fmt: skip


def _by_episode(result: SeedResults, scores: Scores, sample: Sample) -> dict[str, Any]:
    """Return the adaptation curve with one point for each episode, at its end."""
    ends = (np.arange(result.episodes) + 1.0) * result.horizon
    return curve(ends, np.moveaxis(scores.y.mean(3), 1, 2), sample)


def _reached(result: SeedResults, scale: Scale, level: float, whole: Sample) -> dict[str, Any]:
    """Return the fraction of trials that reach the level, its curve over env steps, and the restricted mean.

    whole: the draws for all tasks of the eval set.
    """
    limit = result.episodes * result.horizon
    reached = experience_to_level(result.returns, result.steps, scale, level)
    x = np.linspace(0, limit, POINTS + 1)
    if not reached.shape[1]:
        return {
            "tasks": 0, "solved": None, "restricted_mean": None, "x": x.tolist(), "fraction": [], "low": None,
            "high": None,
        }  # fmt: skip
    fraction = (reached[..., None] <= x).mean(2)  # [S, N', X]
    sample = whole
    if fraction.shape[1] != whole.resampling.tasks.shape[1]:
        sample = Sample.of(fraction, "", "", whole.enough)
    solved = curve(x, fraction, sample)
    return {
        "tasks": reached.shape[1], "solved": float(np.isfinite(reached).mean()),
        "restricted_mean": restricted_mean(reached, limit), "limit": limit,
        "x": solved["x"], "fraction": solved["mean"], "low": solved["low"], "high": solved["high"],
        "by_seed": solved_fraction(reached, x).tolist(),
    }  # fmt: skip
