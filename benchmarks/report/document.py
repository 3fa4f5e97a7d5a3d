"""The report as plain data: `report.json`, from which tables, figures and pages are made.

Anything that is added keeps the schema; anything that is renamed or means something else raises it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from metarl import __version__
from metarl.benchmarks.references import Earned
from metarl.benchmarks.report.panels import panel_data
from metarl.benchmarks.report.rivals import comparisons, gap, headline
from metarl.benchmarks.report.scratch import scratch_data
from metarl.benchmarks.results import Results
from metarl.benchmarks.statistics.bootstrap import FEWEST_SEEDS, LEVEL, REPETITIONS
from metarl.benchmarks.suites.suite import Family
from metarl.tasks import TaskSet

FORMAT, SCHEMA = "metarl report", 2


def document(results: Results) -> dict[str, Any]:
    """Everything the report says."""
    suite = results.suite
    return {
        "format": FORMAT, "schema": SCHEMA, "metarl": __version__,
        "suite": {"name": suite.name, "version": suite.version, "about": suite.about},
        "statistics": {"repetitions": REPETITIONS, "level": LEVEL, "fewest_seeds": FEWEST_SEEDS},
        "sources": results.sources, "machines": _machines(results), "warnings": results.warnings,
        "failures": [{"cell": str(cell), "reason": why} for cell, why in results.failures.items()],
        "unfinished": [str(cell) for cell in results.unfinished],
        "left_out": [f.label for f in results.whole.families if f.label not in [g.label for g in suite.families]],
        "entrants": {name: _entrant(results, name) for name in results.entrants},
        "headline": headline(results),
        "distributions": [_distribution(results, family) for family in suite.families],
    }  # fmt: skip


def _entrant(results: Results, name: str) -> dict[str, Any]:
    entrant = results.entrants[name]
    return {
        "agent": entrant.agent.rpartition("/")[2], "of": entrant.of, "settings": dict(entrant.settings),
        "control": entrant.control, "deterministic": entrant.deterministic,
    }  # fmt: skip


def _machines(results: Results) -> list[dict[str, Any]]:
    """Each processor with its versions once."""
    found = {}
    for meta in results.metas.values():
        machine = {key: value for key, value in meta["machine"].items() if key != "load"}
        found[repr(machine)] = machine
    return list(found.values())


def _distribution(results: Results, family: Family) -> dict[str, Any]:
    ends = results.ends.get(family.label, {}).get(family.scored)
    present = results.present(family)
    lives = [results.lives[family.label, name, family.scored] for name in present]
    return {
        "name": family.label, "scored": family.scored, "generalisation": family.scored != "train",
        "episodes": lives[0].episodes if lives else None, "horizon": lives[0].horizon if lives else None,
        "reference_entrant": family.reference, "ceiling": family.ceiling,
        "reference": None if ends is None else {
            "floor": _end(ends.floor), "best": _end(ends.best), "ceiling": ends.ceiling and _end(ends.ceiling),
            "denominator": ends.denominator, "denominator_error": _number(ends.denominator_error),
        },
        "budget": _budget(results, family), "scratch": scratch_data(results, family),
        "panels": {panel: _tasks(family, panel, tasks) for panel, tasks in results.tasks[family.label].items()},
        "entrants": {name: _row(results, family, name) for name in present},
        "comparisons": comparisons(results, family),
    }  # fmt: skip


def _end(earned: Earned) -> dict[str, Any]:
    return {"by": earned.by, "return": float(earned.mean.mean()), "error": _number(earned.mean_error)}


def _budget(results: Results, family: Family) -> dict[str, dict[str, int]]:
    """Of everybody who trains: env steps, and those that the suite says."""
    whole = results.whole.family(family.label)
    trains = {name: e for name, e in results.entrants.items() if e.trains and e.of is None and family.budget(e)}
    return {
        name: {"env_steps": family.budget(entrant), "suite": whole.budget(entrant)} for name, entrant in trains.items()
    }


def _tasks(family: Family, panel: str, tasks: TaskSet) -> dict[str, Any]:
    return {
        "tasks": len(tasks), "split": family.panels[panel].split, "hash": tasks.hash,
        "values": {name: values.tolist() for name, values in tasks.params.items() if values[0].size <= 2},
    }  # fmt: skip


def _row(results: Results, family: Family, name: str) -> dict[str, Any]:
    panels = {panel: panel_data(results, family, name, panel) for panel in family.panels}
    metas = [meta for cell, meta in results.metas.items() if (cell.family, cell.entrant) == (family.label, name)]
    trained = any(meta["trained"] for meta in metas)
    return {
        "seeds": len(metas), "trained": trained, "preliminary": trained and len(metas) < FEWEST_SEEDS,
        "panels": {panel: data for panel, data in panels.items() if data is not None},
        "gaps": {
            "train - test": gap(results, family, name, "train", "test"),
            "test - ood": gap(results, family, name, "test", "ood"),
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
