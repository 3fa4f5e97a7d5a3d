"""Which references the scores of a report are scaled by: those stored with the suite, else those that took part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from metarl.benchmarks.results.references import FLOOR, Earned, ScoreAnchors, Stored
from metarl.benchmarks.results.results import Results
from metarl.benchmarks.suites.method import Method
from metarl.benchmarks.suites.suite import SuiteEntry
from metarl.errors import MetarlError


def find(results: Results, entry: SuiteEntry, stored: Sequence[Stored]) -> dict[str, ScoreAnchors]:
    """Both ends of the scale by eval set; {} and a warning where the scored eval set has none, or no way between them."""
    found: dict[str, ScoreAnchors] = {}
    for eval_set in results.tasks[entry.label]:
        floor, best = (_earned(results, entry, eval_set, who, stored) for who in (FLOOR, entry.reference))
        if floor and best:
            ceiling = _earned(results, entry, eval_set, entry.ceiling, stored) if entry.ceiling else None
            found[eval_set] = ScoreAnchors(floor, best, ceiling)
    if entry.scored not in found:
        cure = f"{FLOOR!r} and {entry.reference!r} must both have finished there"
        results.warnings.append(f"{entry.label} has no scores, only returns: {cure}")
        return {}
    try:
        _ = found[entry.scored].denominator
    except MetarlError as error:
        results.warnings.append(f"{entry.label} has no scores, only returns: {error}")
        return {}
    return found


def measured(results: Results, entry: SuiteEntry, eval_set: str, who: str) -> Earned | None:
    """What an method has earned in these results; None where it has not lived."""
    lives = results.lives.get((entry.label, who, eval_set))
    if lives is None:
        return None
    method = results.methods[who]
    budget = f", {len(lives.seeds)} seed{'s' if len(lives.seeds) > 1 else ''} of {entry.budget(method):,} env steps"
    by = f"{who}{budget if _trained(results, method) else ''}, {lives.returns.shape[3]} replicates"
    world = next(dict(m["fingerprint"]) for c, m in results.metas.items() if (c.entry, c.method) == (entry.label, who))
    return Earned.of(lives.returns, results.tasks[entry.label][eval_set].hash, by, world)


def _earned(results: Results, entry: SuiteEntry, eval_set: str, who: str, stored: Sequence[Stored]) -> Earned | None:
    tasks = results.tasks[entry.label][eval_set]
    for file in stored:
        there = file.get(entry.label, {}).get(eval_set, {}).get(who)
        if there is not None and there.hash == tasks.hash:
            if eval_set == entry.scored:
                _compare_worlds(results, entry, there, who)
            return replace(there, by=f"{there.by}, stored with the suite")
    own = measured(results, entry, eval_set, who)
    return own and replace(own, by=f"{own.by}, of this job")


def _compare_worlds(results: Results, entry: SuiteEntry, stored: Earned, who: str) -> None:
    """A warning where a stored reference was lived in another world than what it scales."""
    worlds = [dict(meta["fingerprint"]) for run_key, meta in results.metas.items() if run_key.entry == entry.label]
    if other := next((world for world in worlds if world != stored.world), None):
        results.warnings.append(
            f"{entry.label}: the stored returns of {who} come from the world {dict(stored.world)}, these from {other}"
        )


def _trained(results: Results, method: Method) -> bool:
    return any(meta["trained"] for run_key, meta in results.metas.items() if run_key.method == method.name)
