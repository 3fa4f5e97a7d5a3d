"""Entrants against each other: pairs on one distribution, ranks over all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from metarl.benchmarks.report.eval_sets import sample_of
from metarl.benchmarks.report.summary import Sample
from metarl.benchmarks.results.references import FLOOR
from metarl.benchmarks.results.results import Results
from metarl.benchmarks.statistics.aggregates import iqm
from metarl.benchmarks.statistics.bootstrap import interval
from metarl.benchmarks.statistics.comparisons import holm, improvement, improvement_draws, ranks, welch
from metarl.benchmarks.suites.suite import SuiteEntry


@dataclass
class Rival:
    """One method on the scored eval set of a distribution; what is drawn of it serves every pair that it is in."""

    name: str
    scores: np.ndarray  # [S, N], areas under the adaptation curve
    sample: Sample

    @cached_property
    def draws(self) -> np.ndarray:
        """[R]: interquartile means."""
        return self.sample.resampling.iqm(self.scores)


def comparisons(results: Results, entry: SuiteEntry) -> list[dict[str, Any]]:
    """Every pair with an agent in it that is no control, on the scored eval set; p-values corrected over these pairs."""
    if results.scale(entry, entry.scored) is None:
        return []
    rivals = [_rival(results, entry, name) for name in results.present(entry) if name != FLOOR]
    rows = [
        _pair(a, b) for a, b in combinations(rivals, 2)
        if not (results.methods[a.name].control and results.methods[b.name].control)
    ]  # fmt: skip
    for row, corrected in zip(rows, holm([row["welch"] for row in rows]), strict=True):
        row["holm"] = corrected
    return [{key: _none(value) for key, value in row.items()} for row in rows]


def _pair(a: Rival, b: Rival) -> dict[str, Any]:
    left, right = a.scores, b.scores
    row: dict[str, Any] = {
        "a": a.name, "b": b.name, "difference": float(iqm(left.ravel()) - iqm(right.ravel())),
        "welch": welch(left.mean(1), right.mean(1)), "improvement": improvement(left, right),
        "seeds": [len(left), len(right)],
    }  # fmt: skip
    if a.sample.enough and b.sample.enough:
        row["low"], row["high"] = interval(a.draws - b.draws)
        improved = improvement_draws(left, right, a.sample.resampling, b.sample.resampling)
        row["improvement_low"], row["improvement_high"] = interval(improved)
    return row


def headline(results: Results) -> list[dict[str, Any]]:
    """AUAC over all distributions that have a scale: the mean of the IQM of each, so that none counts for more because
    it has more tasks; ranks among those that are not an end of the scale. Best first."""
    entries = [f for f in results.suite.entries if results.scale(f, f.scored)]
    everywhere = [n for n in results.methods if entries and all(n in results.present(f) for f in entries)]
    anchors = {FLOOR, *(f.reference for f in entries), *(f.ceiling for f in entries)}
    rows = [_overall(results, entries, name) for name in everywhere]
    ranked = [row for row in rows if row["method"] not in anchors]
    if ranked:
        points = ranks(np.array([[row["auac"]] for row in ranked]))[:, 0]
        spread = ranks(np.array([row["draws"] for row in ranked]))
        enough = all(row["low"] is not None for row in ranked)
        for row, rank, draws in zip(ranked, points, spread, strict=True):
            low, high = interval(draws) if enough else (None, None)
            row |= {"rank": float(rank), "rank_low": low, "rank_high": high}
    rows = [{key: value for key, value in row.items() if key != "draws"} for row in rows]
    return sorted(rows, key=lambda row: -row["auac"])


def _overall(results: Results, entries: Iterable[SuiteEntry], name: str) -> dict[str, Any]:
    found = [_rival(results, entry, name) for entry in entries]
    draws = np.mean([rival.draws for rival in found], 0)
    enough = all(rival.sample.enough for rival in found)
    low, high = interval(draws) if enough else (None, None)
    return {
        "method": name, "control": results.methods[name].control, "draws": draws,
        "auac": float(np.mean([iqm(rival.scores.ravel()) for rival in found])), "low": low, "high": high,
        "seeds": min(len(rival.scores) for rival in found), "trained": _trained(results, name),
    }  # fmt: skip


def gap(results: Results, entry: SuiteEntry, method: str, first: str, second: str) -> dict[str, Any] | None:
    """AUAC on one eval set minus that on another; seeds are drawn together, tasks apart."""
    a, b = (results.scores(entry, method, eval_set) for eval_set in (first, second))
    if a is None or b is None:
        return None
    row: dict[str, Any] = {"difference": float(iqm(a.auac.ravel()) - iqm(b.auac.ravel())), "low": None, "high": None}
    of_a, of_b = (sample_of(results, entry, method, p, s.auac) for p, s in ((first, a), (second, b)))
    if of_a.enough:
        row["low"], row["high"] = interval(of_a.resampling.iqm(a.auac) - of_b.resampling.iqm(b.auac))
    return row


def _trained(results: Results, name: str) -> bool:
    return any(meta["trained"] for run_key, meta in results.metas.items() if run_key.method == name)


def _rival(results: Results, entry: SuiteEntry, name: str) -> Rival:
    found = results.scores(entry, name, entry.scored)
    assert found is not None
    return Rival(name, found.auac, sample_of(results, entry, name, entry.scored, found.auac))


def _none(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value
