"""Entrants against each other: pairs on one distribution, ranks over all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
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


@dataclass
class Rival:
    """One entrant on the scored panel of a distribution; what is drawn of it serves every pair that it is in."""

    name: str
    scores: np.ndarray  # [S, N], areas under the adaptation curve
    sample: Sample

    @cached_property
    def draws(self) -> np.ndarray:
        """[R]: interquartile means."""
        return self.sample.resampling.iqm(self.scores)


def comparisons(results: Results, family: Family) -> list[dict[str, Any]]:
    """Every pair with an agent in it that is no control, on the scored panel; p-values corrected over these pairs."""
    if results.scale(family, family.scored) is None:
        return []
    rivals = [_rival(results, family, name) for name in results.present(family) if name != FLOOR]
    rows = [
        _pair(a, b) for a, b in combinations(rivals, 2)
        if not (results.entrants[a.name].control and results.entrants[b.name].control)
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
    found = [_rival(results, family, name) for family in families]
    draws = np.mean([rival.draws for rival in found], 0)
    enough = all(rival.sample.enough for rival in found)
    low, high = interval(draws) if enough else (None, None)
    return {
        "entrant": name, "control": results.entrants[name].control, "draws": draws,
        "auac": float(np.mean([iqm(rival.scores.ravel()) for rival in found])), "low": low, "high": high,
        "seeds": min(len(rival.scores) for rival in found), "trained": _trained(results, name),
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


def _rival(results: Results, family: Family, name: str) -> Rival:
    found = results.scores(family, name, family.scored)
    assert found is not None
    return Rival(name, found.auac, sample_of(results, family, name, family.scored, found.auac))


def _none(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value
