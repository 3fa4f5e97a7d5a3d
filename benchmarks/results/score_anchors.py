"""The choice of score anchors: those stored with the suite, otherwise those evaluated in the benchmark itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from metarl.benchmarks.results.references import RANDOM, AnchorReturns, References, ScoreAnchors
from metarl.benchmarks.results.results import Results
from metarl.benchmarks.suites.method import Method
from metarl.benchmarks.suites.suite import SuiteEntry
from metarl.errors import MetarlError


def find_anchors(results: Results, entry: SuiteEntry, stored: Sequence[References]) -> dict[str, ScoreAnchors]:
    """Return the score anchors by eval set; {}, with a warning in the results, where there is no scale.

    The scale needs random and oracle on the scored eval set, and the oracle's return must be the higher one.
    """
    anchors: dict[str, ScoreAnchors] = {}
    for eval_set in results.tasks[entry.label]:
        random, oracle = (_find(results, entry, eval_set, name, stored) for name in (RANDOM, entry.oracle))
        if random and oracle:
            name = entry.bayes_optimal
            bayes_optimal = _find(results, entry, eval_set, name, stored) if name else None
            anchors[eval_set] = ScoreAnchors(random, oracle, bayes_optimal)
    if entry.scored not in anchors:
        cure = f"{RANDOM!r} and {entry.oracle!r} must both have finished there"
        results.warnings.append(f"{entry.label} has no scores, only returns: {cure}")
        return {}
    try:
        _ = anchors[entry.scored].denominator
    except MetarlError as error:
        results.warnings.append(f"{entry.label} has no scores, only returns: {error}")
        return {}
    return anchors


def measure_returns(results: Results, entry: SuiteEntry, eval_set: str, name: str) -> AnchorReturns | None:
    """Return a method's returns in these results; None where it was not evaluated."""
    result = results.evals.get((entry.label, name, eval_set))
    if result is None:
        return None
    method, seeds = results.methods[name], len(result.seeds)
    training = f", {seeds} seed{'s' if seeds > 1 else ''} of {entry.budget(method):,} env steps"
    source = f"{name}{training if _trained(results, method) else ''}, {result.returns.shape[3]} replicates"
    world = next(dict(m["fingerprint"]) for k, m in results.metas.items() if (k.entry, k.method) == (entry.label, name))
    return AnchorReturns.of(result.returns, results.tasks[entry.label][eval_set].hash, source, world)


def _find(
    results: Results, entry: SuiteEntry, eval_set: str, name: str, stored: Sequence[References]
) -> AnchorReturns | None:
    """Return the stored returns of a method on these tasks, otherwise those of the results."""
    tasks = results.tasks[entry.label][eval_set]
    for references in stored:
        returns = references.get(entry.label, {}).get(eval_set, {}).get(name)
        if returns is not None and returns.hash == tasks.hash:
            if eval_set == entry.scored:
                _compare_worlds(results, entry, returns, name)
            return replace(returns, source=f"{returns.source}, stored with the suite")
    own = measure_returns(results, entry, eval_set, name)
    return own and replace(own, source=f"{own.source}, of this benchmark")


def _compare_worlds(results: Results, entry: SuiteEntry, stored: AnchorReturns, name: str) -> None:
    """Add a warning where stored returns come from another version of the world than the results."""
    worlds = [dict(meta["fingerprint"]) for run_key, meta in results.metas.items() if run_key.entry == entry.label]
    if other := next((world for world in worlds if world != stored.world), None):
        results.warnings.append(
            f"{entry.label}: the stored returns of {name} come from the world {dict(stored.world)}, these from {other}"
        )


def _trained(results: Results, method: Method) -> bool:
    return any(meta["trained"] for run_key, meta in results.metas.items() if run_key.method == method.name)
