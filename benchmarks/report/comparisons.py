"""Comparisons of methods: pairs on one distribution, ranks over all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from metarl.benchmarks.report.eval_sets import sample_of
from metarl.benchmarks.report.summary import Sample
from metarl.benchmarks.results.references import RANDOM
from metarl.benchmarks.results.results import Results
from metarl.benchmarks.statistics.aggregates import iqm
from metarl.benchmarks.statistics.bootstrap import interval
from metarl.benchmarks.statistics.comparisons import holm, improvement, improvement_draws, ranks, welch
from metarl.benchmarks.suites.suite import SuiteEntry


@dataclass
class MethodScores:
    """The scores of one method on the scored eval set of a distribution, with the bootstrap's draws."""

    name: str
    auac: np.ndarray  # [S, N]
    sample: Sample

    @cached_property
    def draws(self) -> np.ndarray:
        """[R]: the interquartile mean in each repetition."""
        return self.sample.resampling.iqm(self.auac)


def comparisons(results: Results, entry: SuiteEntry) -> list[dict[str, Any]]:
    """Return a row for each pair of methods that are not both controls, on the scored eval set.

    p-values are corrected over these pairs. Random actions are left out.
    """
    if results.scale(entry, entry.scored) is None:
        return []
    methods = [_method_scores(results, entry, name) for name in results.present(entry) if name != RANDOM]
    rows = [
        _pair(a, b) for a, b in combinations(methods, 2)
        if not (results.methods[a.name].control and results.methods[b.name].control)
    ]  # fmt: skip
    for row, corrected in zip(rows, holm([row["welch"] for row in rows]), strict=True):
        row["holm"] = corrected
    return [{key: _none(value) for key, value in row.items()} for row in rows]


def _pair(a: MethodScores, b: MethodScores) -> dict[str, Any]:
    row: dict[str, Any] = {
        "a": a.name, "b": b.name, "difference": float(iqm(a.auac.ravel()) - iqm(b.auac.ravel())),
        "welch": welch(a.auac.mean(1), b.auac.mean(1)), "improvement": improvement(a.auac, b.auac),
        "seeds": [len(a.auac), len(b.auac)],
    }  # fmt: skip
    if a.sample.enough and b.sample.enough:
        row["low"], row["high"] = interval(a.draws - b.draws)
        improved = improvement_draws(a.auac, b.auac, a.sample.resampling, b.sample.resampling)
        row["improvement_low"], row["improvement_high"] = interval(improved)
    return row


def headline(results: Results) -> list[dict[str, Any]]:
    """Return the overall AUAC and rank of each method that was evaluated on all distributions with a scale, best first.

    The overall AUAC is the mean of the distributions' IQMs, so that all distributions have the same weight. Score
    anchors are not ranked.
    """
    entries = [entry for entry in results.suite.entries if results.scale(entry, entry.scored)]
    names = [n for n in results.methods if entries and all(n in results.present(entry) for entry in entries)]
    anchors = {RANDOM, *(entry.oracle for entry in entries), *(entry.bayes_optimal for entry in entries)}
    rows = [_overall(results, entries, name) for name in names]
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
    parts = [_method_scores(results, entry, name) for entry in entries]
    draws = np.mean([part.draws for part in parts], 0)
    enough = all(part.sample.enough for part in parts)
    low, high = interval(draws) if enough else (None, None)
    return {
        "method": name, "control": results.methods[name].control, "draws": draws,
        "auac": float(np.mean([iqm(part.auac.ravel()) for part in parts])), "low": low, "high": high,
        "seeds": min(len(part.auac) for part in parts), "trained": _trained(results, name),
    }  # fmt: skip


def gap(results: Results, entry: SuiteEntry, method: str, first: str, second: str) -> dict[str, Any] | None:
    """Return the AUAC on one eval set minus that on another; None where one of them has no scores.

    The bootstrap draws the same seeds for both, and tasks independently.
    """
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


def _method_scores(results: Results, entry: SuiteEntry, name: str) -> MethodScores:
    scores = results.scores(entry, name, entry.scored)
    assert scores is not None
    return MethodScores(name, scores.auac, sample_of(results, entry, name, entry.scored, scores.auac))


def _none(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value
