"""The report as plain data: `report.json`, from which tables, figures and pages are made.

A new key keeps the schema. A key that is renamed, or whose meaning changes, raises it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from metarl.benchmarks.report.comparisons import comparisons, gap, headline
from metarl.benchmarks.report.eval_sets import eval_set_data
from metarl.benchmarks.report.scratch_section import scratch_data
from metarl.benchmarks.results.references import AnchorReturns
from metarl.benchmarks.results.results import Results
from metarl.benchmarks.statistics.bootstrap import FEWEST_SEEDS, LEVEL, REPETITIONS
from metarl.benchmarks.suites.suite import SuiteEntry
from metarl.tasks.task_set import TaskSet
from metarl.version import __version__

FORMAT, SCHEMA = "metarl report", 3


def document(results: Results) -> dict[str, Any]:
    """Return all content of the report as JSON data."""
    suite = results.suite
    labels = [entry.label for entry in suite.entries]
    return {
        "format": FORMAT, "schema": SCHEMA, "metarl": __version__,
        "suite": {"name": suite.name, "version": suite.version, "about": suite.about},
        "statistics": {"repetitions": REPETITIONS, "level": LEVEL, "fewest_seeds": FEWEST_SEEDS},
        "sources": results.sources, "machines": _machines(results), "warnings": results.warnings,
        "failures": [{"run_key": str(run_key), "reason": reason} for run_key, reason in results.failures.items()],
        "unfinished": [str(run_key) for run_key in results.unfinished],
        "left_out": [entry.label for entry in results.full_suite.entries if entry.label not in labels],
        "methods": {name: _method(results, name) for name in results.methods},
        "headline": headline(results),
        "distributions": [_distribution(results, entry) for entry in suite.entries],
    }  # fmt: skip


def _method(results: Results, name: str) -> dict[str, Any]:
    method = results.methods[name]
    return {
        "agent": method.agent.rpartition("/")[2], "of": method.of, "settings": dict(method.settings),
        "control": method.control, "deterministic": method.deterministic,
    }  # fmt: skip


def _machines(results: Results) -> list[dict[str, Any]]:
    """Return each machine once, without its load."""
    machines = {}
    for meta in results.metas.values():
        machine = {key: value for key, value in meta["machine"].items() if key != "load"}
        machines[repr(machine)] = machine
    return list(machines.values())


def _distribution(results: Results, entry: SuiteEntry) -> dict[str, Any]:
    anchors = results.anchors.get(entry.label, {}).get(entry.scored)
    present = results.present(entry)
    first = results.evals[entry.label, present[0], entry.scored] if present else None
    return {
        "name": entry.label, "scored": entry.scored, "generalisation": entry.scored != "train",
        "episodes": first.episodes if first else None, "horizon": first.horizon if first else None,
        "oracle": entry.oracle, "bayes_optimal": entry.bayes_optimal,
        "anchors": None if anchors is None else {
            "random": _anchor(anchors.random), "oracle": _anchor(anchors.oracle),
            "bayes_optimal": anchors.bayes_optimal and _anchor(anchors.bayes_optimal),
            "denominator": anchors.denominator, "denominator_error": _number(anchors.denominator_error),
        },
        "budget": _budget(results, entry), "scratch": scratch_data(results, entry),
        "eval_sets": {name: _tasks(entry, name, tasks) for name, tasks in results.tasks[entry.label].items()},
        "methods": {name: _row(results, entry, name) for name in present},
        "comparisons": comparisons(results, entry),
    }  # fmt: skip


def _anchor(returns: AnchorReturns) -> dict[str, Any]:
    return {"source": returns.source, "return": float(returns.mean.mean()), "error": _number(returns.mean_error)}


def _budget(results: Results, entry: SuiteEntry) -> dict[str, dict[str, int]]:
    """Return the env steps of each training, and those of the full suite."""
    full = results.full_suite.entry(entry.label)
    trained = {name: m for name, m in results.methods.items() if m.trains and m.of is None and entry.budget(m)}
    return {name: {"env_steps": entry.budget(method), "suite": full.budget(method)} for name, method in trained.items()}


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
    """Return means over seeds; None where nothing was trained."""
    trainings = [meta["training"] for meta in metas if meta["training"]]
    return {
        "env_steps": float(np.mean([t["env_steps"] for t in trainings])) if trainings else None,
        "train_seconds": float(np.mean([t["seconds"] for t in trainings])) if trainings else None,
        "evaluate_seconds": float(np.mean([meta["seconds"] for meta in metas])),
        "peak_memory": max(meta["peak_memory"] for meta in metas),
        "diverged": sum(sum(meta["diverged"].values()) for meta in metas),
    }  # fmt: skip


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
