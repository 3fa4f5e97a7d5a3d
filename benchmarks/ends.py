"""Which references the scores of a report are scaled by: those stored with the suite, else those that took part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from metarl.benchmarks.references import FLOOR, Earned, Ends, Stored
from metarl.benchmarks.results import Results
from metarl.benchmarks.suites.entrant import Entrant
from metarl.benchmarks.suites.suite import Family
from metarl.errors import MetarlError


def find(results: Results, family: Family, stored: Sequence[Stored]) -> dict[str, Ends]:
    """Both ends of the scale by panel; {} and a warning where the scored panel has none, or no way between them."""
    found: dict[str, Ends] = {}
    for panel in results.tasks[family.label]:
        floor, best = (_earned(results, family, panel, who, stored) for who in (FLOOR, family.reference))
        if floor and best:
            ceiling = _earned(results, family, panel, family.ceiling, stored) if family.ceiling else None
            found[panel] = Ends(floor, best, ceiling)
    if family.scored not in found:
        cure = f"{FLOOR!r} and {family.reference!r} must both have finished there"
        results.warnings.append(f"{family.label} has no scores, only returns: {cure}")
        return {}
    try:
        _ = found[family.scored].denominator
    except MetarlError as error:
        results.warnings.append(f"{family.label} has no scores, only returns: {error}")
        return {}
    return found


def measured(results: Results, family: Family, panel: str, who: str) -> Earned | None:
    """What an entrant has earned in these results; None where it has not lived."""
    lives = results.lives.get((family.label, who, panel))
    if lives is None:
        return None
    entrant = results.entrants[who]
    budget = f", {len(lives.seeds)} seed{'s' if len(lives.seeds) > 1 else ''} of {family.budget(entrant):,} env steps"
    by = f"{who}{budget if _trained(results, entrant) else ''}, {lives.returns.shape[3]} replicates"
    world = next(
        dict(m["fingerprint"]) for c, m in results.metas.items() if (c.family, c.entrant) == (family.label, who)
    )
    return Earned.of(lives.returns, results.tasks[family.label][panel].hash, by, world)


def _earned(results: Results, family: Family, panel: str, who: str, stored: Sequence[Stored]) -> Earned | None:
    tasks = results.tasks[family.label][panel]
    for file in stored:
        there = file.get(family.label, {}).get(panel, {}).get(who)
        if there is not None and there.hash == tasks.hash:
            if panel == family.scored:
                _compare_worlds(results, family, there, who)
            return replace(there, by=f"{there.by}, stored with the suite")
    own = measured(results, family, panel, who)
    return own and replace(own, by=f"{own.by}, of this job")


def _compare_worlds(results: Results, family: Family, stored: Earned, who: str) -> None:
    """A warning where a stored reference was lived in another world than what it scales."""
    worlds = [dict(meta["fingerprint"]) for cell, meta in results.metas.items() if cell.family == family.label]
    if other := next((world for world in worlds if world != stored.world), None):
        results.warnings.append(
            f"{family.label}: the stored returns of {who} come from the world {dict(stored.world)}, these from {other}"
        )


def _trained(results: Results, entrant: Entrant) -> bool:
    return any(meta["trained"] for cell, meta in results.metas.items() if cell.entrant == entrant.name)
