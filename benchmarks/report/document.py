"""The report as plain data: `report.json`, from which tables, figures and pages are made.

Anything that is added keeps the schema; anything that is renamed or means something else raises it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from metarl import __version__
from metarl.benchmarks.report.eval_sets import eval_set_data
from metarl.benchmarks.report.rivals import comparisons, gap, headline
from metarl.benchmarks.report.scratch import scratch_data
from metarl.benchmarks.results.references import Earned
from metarl.benchmarks.results.results import Results
from metarl.benchmarks.statistics.bootstrap import FEWEST_SEEDS, LEVEL, REPETITIONS
from metarl.benchmarks.suites.suite import SuiteEntry
from metarl.tasks.task_set import TaskSet

FORMAT, SCHEMA = "metarl report", 2


def document(results: Results) -> dict[str, Any]:
    """Everything the report says."""
    suite = results.suite
    return {
        "format": FORMAT, "schema": SCHEMA, "metarl": __version__,
        "suite": {"name": suite.name, "version": suite.version, "about": suite.about},
        "statistics": {"repetitions": REPETITIONS, "level": LEVEL, "fewest_seeds": FEWEST_SEEDS},
        "sources": results.sources, "machines": _machines(results), "warnings": results.warnings,
        "failures": [{"run_key": str(run_key), "reason": why} for run_key, why in results.failures.items()],
        "unfinished": [str(run_key) for run_key in results.unfinished],
        "left_out": [f.label for f in results.whole.entries if f.label not in [g.label for g in suite.entries]],
        "methods": {name: _entrant(results, name) for name in results.methods},
        "headline": headline(results),
        "distributions": [_distribution(results, entry) for entry in suite.entries],
    }  # fmt: skip


def _entrant(results: Results, name: str) -> dict[str, Any]:
    method = results.methods[name]
    return {
        "agent": method.agent.rpartition("/")[2], "of": method.of, "settings": dict(method.settings),
        "control": method.control, "deterministic": method.deterministic,
    }  # fmt: skip


def _machines(results: Results) -> list[dict[str, Any]]:
    """Each processor with its versions once."""
    found = {}
    for meta in results.metas.values():
        machine = {key: value for key, value in meta["machine"].items() if key != "load"}
        found[repr(machine)] = machine
    return list(found.values())


def _distribution(results: Results, entry: SuiteEntry) -> dict[str, Any]:
    anchors = results.anchors.get(entry.label, {}).get(entry.scored)
    present = results.present(entry)
    lives = [results.lives[entry.label, name, entry.scored] for name in present]
    return {
        "name": entry.label, "scored": entry.scored, "generalisation": entry.scored != "train",
        "episodes": lives[0].episodes if lives else None, "horizon": lives[0].horizon if lives else None,
        "reference_entrant": entry.reference, "ceiling": entry.ceiling,
        "reference": None if anchors is None else {
            "floor": _anchor(anchors.floor), "best": _anchor(anchors.best), "ceiling": anchors.ceiling and _anchor(anchors.ceiling),
            "denominator": anchors.denominator, "denominator_error": _number(anchors.denominator_error),
        },
        "budget": _budget(results, entry), "scratch": scratch_data(results, entry),
        "eval_sets": {eval_set: _tasks(entry, eval_set, tasks) for eval_set, tasks in results.tasks[entry.label].items()},
        "methods": {name: _row(results, entry, name) for name in present},
        "comparisons": comparisons(results, entry),
    }  # fmt: skip


def _anchor(earned: Earned) -> dict[str, Any]:
    return {"by": earned.by, "return": float(earned.mean.mean()), "error": _number(earned.mean_error)}


def _budget(results: Results, entry: SuiteEntry) -> dict[str, dict[str, int]]:
    """Of everybody who trains: env steps, and those that the suite says."""
    whole = results.whole.entry(entry.label)
    trains = {name: e for name, e in results.methods.items() if e.trains and e.of is None and entry.budget(e)}
    return {name: {"env_steps": entry.budget(method), "suite": whole.budget(method)} for name, method in trains.items()}


def _tasks(entry: SuiteEntry, eval_set: str, tasks: TaskSet) -> dict[str, Any]:
    return {
        "tasks": len(tasks), "split": entry.eval_sets[eval_set].split, "hash": tasks.hash,
        "values": {name: values.tolist() for name, values in tasks.params.items() if values[0].size <= 2},
    }  # fmt: skip


def _row(results: Results, entry: SuiteEntry, name: str) -> dict[str, Any]:
    eval_sets = {eval_set: eval_set_data(results, entry, name, eval_set) for eval_set in entry.eval_sets}
    metas = [meta for run_key, meta in results.metas.items() if (run_key.entry, run_key.method) == (entry.label, name)]
    trained = any(meta["trained"] for meta in metas)
    return {
        "seeds": len(metas), "trained": trained, "preliminary": trained and len(metas) < FEWEST_SEEDS,
        "eval_sets": {eval_set: data for eval_set, data in eval_sets.items() if data is not None},
        "gaps": {
            "train - test": gap(results, entry, name, "train", "test"),
            "test - ood": gap(results, entry, name, "test", "ood"),
        },
        "cost": _cost(metas),
    }  # fmt: skip


def _cost(metas: list[Any]) -> dict[str, Any]:
    """Means over seeds; None where nothing was learned."""
    trainings = [meta["training"] for meta in metas if meta["training"]]
    return {
        "env_steps": float(np.mean([t["env_steps"] for t in trainings])) if trainings else None,
        "train_seconds": float(np.mean([t["seconds"] for t in trainings])) if trainings else None,
        "live_seconds": float(np.mean([meta["seconds"] for meta in metas])),
        "peak_memory": max(meta["peak_memory"] for meta in metas),
        "diverged": sum(sum(meta["diverged"].values()) for meta in metas),
    }  # fmt: skip


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
