"""One method on one eval set, as plain data."""

from __future__ import annotations

from typing import Any

import numpy as np

from metarl.benchmarks.report.summary import Sample, curve, summary
from metarl.benchmarks.results.results import Results, SeedResults
from metarl.benchmarks.results.scores import LEVELS, Scale, Scores, experience, restricted_mean, solved
from metarl.benchmarks.statistics.aggregates import low_tail, optimality_gap
from metarl.benchmarks.statistics.comparisons import profile
from metarl.benchmarks.suites.suite import SuiteEntry

POINTS = 60  # of a solved-fraction curve
THRESHOLDS = np.linspace(-0.25, 1.25, 61)  # of a performance profile


def eval_set_data(results: Results, entry: SuiteEntry, method: str, eval_set: str) -> dict[str, Any] | None:
    """Returns, and scores where there is a scale; None where the method has not lived there."""
    lives = results.lives.get((entry.label, method, eval_set))
    if lives is None:
        return None
    data: dict[str, Any] = {
        "seeds": list(lives.seeds), "replicates": lives.returns.shape[3],
        "returns": lives.returns.mean((0, 2, 3)).tolist(), "steps": lives.steps.mean((0, 2, 3)).tolist(),
        "returns_by_seed": lives.returns.mean((2, 3)).tolist(),
    }  # fmt: skip
    scale = results.scale(entry, eval_set)
    return data | (_scored(results, entry, method, eval_set, lives, scale) if scale else {})


def sample_of(results: Results, entry: SuiteEntry, method: str, eval_set: str, scores: np.ndarray) -> Sample:
    """The draws of this method here: tasks shared with everybody, seeds with whoever has the same weights."""
    known = results.methods[method]
    trained = any(m["trained"] for c, m in results.metas.items() if (c.entry, c.method) == (entry.label, method))
    return Sample.of(scores, f"{known.owner} {entry.label}", f"{entry.label} {eval_set}", trained)


def _scored(
    results: Results, entry: SuiteEntry, method: str, eval_set: str, lives: SeedResults, scale: Scale
) -> dict[str, Any]:
    scores = Scores(scale.scores(lives.returns))
    auac = scores.auac
    sample = sample_of(results, entry, method, eval_set, auac)
    rows = {name: summary(getattr(scores, name), sample) for name in ("auac", "first", "last", "gain", "forgetting")}
    bins = scale.bins(lives.rates, lives.horizon)  # [S, K, BINS, N]
    bins = np.moveaxis(bins, 3, 1).reshape(*auac.shape, -1)
    return rows | {
        "regret": scores.regret(rows["auac"]["iqm"]), "low_tail": low_tail(scores.by_task),
        "optimality_gap": optimality_gap(auac), "by_task": scores.by_task.tolist(),
        "profile": {"x": THRESHOLDS.tolist(), "share": profile(auac, THRESHOLDS).tolist()},
        "curve": curve(lives.time, bins, sample), "by_episode": _by_episode(lives, scores, sample),
        "reached": {str(level): _reached(lives, scale, level, sample) for level in LEVELS},
    }  # fmt: skip


def _by_episode(lives: SeedResults, scores: Scores, sample: Sample) -> dict[str, Any]:
    """The curve with a point for each episode, at its end."""
    anchors = (np.arange(lives.episodes) + 1.0) * lives.horizon
    return curve(anchors, np.moveaxis(scores.y.mean(3), 1, 2), sample)


def _reached(lives: SeedResults, scale: Scale, level: float, whole: Sample) -> dict[str, Any]:
    """Experience until the level is reached: solved fraction at the end and on the way, and the restricted mean."""
    limit = lives.episodes * lives.horizon
    reached = experience(lives.returns, lives.steps, scale, level)
    x = np.linspace(0, limit, POINTS + 1)
    if not reached.shape[1]:
        return {
            "tasks": 0,
            "solved": None,
            "restricted_mean": None,
            "x": x.tolist(),
            "share": [],
            "low": None,
            "high": None,
        }
    share = (reached[..., None] <= x).mean(2)  # [S, N', X]
    sample = Sample.of(share, "", "", whole.enough) if share.shape[1] != whole.resampling.tasks.shape[1] else whole
    found = curve(x, share, sample)
    return {
        "tasks": reached.shape[1], "solved": float(np.isfinite(reached).mean()),
        "restricted_mean": restricted_mean(reached, limit), "limit": limit,
        "x": found["x"], "share": found["mean"], "low": found["low"], "high": found["high"],
        "by_seed": solved(reached, x).tolist(),
    }  # fmt: skip
