"""Entrants against each other: pairs on one distribution, ranks over all of them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any

import numpy as np

from metarl.benchmarks.references import FLOOR
from metarl.benchmarks.report.panels import sample_of
from metarl.benchmarks.report.summary import Sample
from metarl.benchmarks.results import Results
from metarl.benchmarks.statistics.aggregates import iqm
from metarl.benchmarks.statistics.bootstrap import interval
from metarl.benchmarks.statistics.comparisons import holm, improvement, improvement_draws, ranks, welch
from metarl.benchmarks.suites.suite import Family


def comparisons(results: Results, family: Family) -> list[dict[str, Any]]:
    """Every pair with an agent in it that is no control, on the scored panel; p-values corrected over these pairs."""
    pairs = [
        (a, b) for a, b in combinations(results.present(family), 2)
        if not (results.entrants[a].control and results.entrants[b].control) and FLOOR not in (a, b)
    ]  # fmt: skip
    if results.scale(family, family.scored) is None:
        return []
    rows = [_pair(results, family, a, b) for a, b in pairs]
    for row, corrected in zip(rows, holm([row["welch"] for row in rows]), strict=True):
        row["holm"] = corrected
    return [{key: _none(value) for key, value in row.items()} for row in rows]


def _pair(results: Results, family: Family, a: str, b: str) -> dict[str, Any]:
    left, right = (_auac(results, family, name) for name in (a, b))
    of_left, of_right = (_sample(results, family, n, s) for n, s in ((a, left), (b, right)))
    row: dict[str, Any] = {
        "a": a, "b": b, "difference": float(iqm(left.ravel()) - iqm(right.ravel())),
        "welch": welch(left.mean(1), right.mean(1)), "improvement": improvement(left, right),
        "seeds": [len(left), len(right)],
    }  # fmt: skip
    if of_left.enough and of_right.enough:
        x, y = of_left.resampling, of_right.resampling
        row["low"], row["high"] = interval(x.iqm(left) - y.iqm(right))
        row["improvement_low"], row["improvement_high"] = interval(improvement_draws(left, right, x, y))
    return row


def headline(results: Results) -> list[dict[str, Any]]:
    """AUAC over all distributions that have a scale: the mean of the IQM of each, so that none counts for more because
    it has more tasks; ranks among those that are not an end of the scale. Best first."""
    families = [f for f in results.suite.families if results.scale(f, f.scored)]
    everywhere = [n for n in results.entrants if families and all(n in results.present(f) for f in families)]
    ends = {FLOOR, *(f.reference for f in families), *(f.ceiling for f in families)}
    rows = [_overall(results, families, name) for name in everywhere]
    ranked = [row for row in rows if row["entrant"] not in ends]
    if ranked:
        points = ranks(np.array([[row["auac"]] for row in ranked]))[:, 0]
        spread = ranks(np.array([row["draws"] for row in ranked]))
        enough = all(row["low"] is not None for row in ranked)
        for row, rank, draws in zip(ranked, points, spread, strict=True):
            low, high = interval(draws) if enough else (None, None)
            row |= {"rank": float(rank), "rank_low": low, "rank_high": high}
    rows = [{key: value for key, value in row.items() if key != "draws"} for row in rows]
    return sorted(rows, key=lambda row: -row["auac"])


def _overall(results: Results, families: Iterable[Family], name: str) -> dict[str, Any]:
    scores = [(family, _auac(results, family, name)) for family in families]
    samples = [(_sample(results, family, name, s), s) for family, s in scores]
    draws = np.mean([sample.resampling.iqm(s) for sample, s in samples], 0)
    enough = all(sample.enough for sample, _ in samples)
    low, high = interval(draws) if enough else (None, None)
    return {
        "entrant": name, "control": results.entrants[name].control, "draws": draws,
        "auac": float(np.mean([iqm(s.ravel()) for _, s in scores])), "low": low, "high": high,
        "seeds": min(len(s) for _, s in scores), "trained": _trained(results, name),
    }  # fmt: skip


def gap(results: Results, family: Family, entrant: str, first: str, second: str) -> dict[str, Any] | None:
    """AUAC on one panel minus that on another; seeds are drawn together, tasks apart."""
    a, b = (results.scores(family, entrant, panel) for panel in (first, second))
    if a is None or b is None:
        return None
    row: dict[str, Any] = {"difference": float(iqm(a.auac.ravel()) - iqm(b.auac.ravel())), "low": None, "high": None}
    of_a, of_b = (sample_of(results, family, entrant, p, s.auac) for p, s in ((first, a), (second, b)))
    if of_a.enough:
        row["low"], row["high"] = interval(of_a.resampling.iqm(a.auac) - of_b.resampling.iqm(b.auac))
    return row


def _trained(results: Results, name: str) -> bool:
    return any(meta["trained"] for cell, meta in results.metas.items() if cell.entrant == name)


def _auac(results: Results, family: Family, name: str) -> np.ndarray:
    found = results.scores(family, name, family.scored)
    assert found is not None
    return found.auac


def _sample(results: Results, family: Family, name: str, scores: np.ndarray) -> Sample:
    return sample_of(results, family, name, family.scored, scores)


def _none(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value
