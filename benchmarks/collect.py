"""Reading the folders of a suite and putting them together; what does not belong together is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metarl.benchmarks import references
from metarl.benchmarks.job import record
from metarl.benchmarks.job.folder import Cell, Folder
from metarl.benchmarks.references import FLOOR, Ends
from metarl.benchmarks.results import Lives, Results
from metarl.benchmarks.suites.entrant import Entrant
from metarl.benchmarks.suites.suite import Family
from metarl.errors import MetarlError
from metarl.run import EVAL

REFERENCES = "references.json"  # in a benchmark's folder: those it was begun with


def collect(paths: Sequence[str | Path]) -> Results:
    """All results of some folders of one suite; MetarlError where they contradict each other."""
    folders = [Folder.open(path) for path in paths]
    first, warnings = folders[0], []
    for other in folders[1:]:
        _check_same_tasks(first, other)
        if other.plan["suite"] != first.plan["suite"]:
            warnings.append(f"{other.path} was made with other budgets or settings than {first.path}")
    entrants = _together(folders)
    families = first.suite.families
    tasks = {f.label: {panel: first.tasks(f, panel) for panel in f.panels} for f in families}
    results = Results(first.suite, entrants, tasks, {}, {}, {}, [], warnings=warnings)
    results.warnings += _fingerprints(_read_cells(folders, results))
    results.sources = [_source(folder) for folder in folders]
    stored = [references.load(folder.path / REFERENCES) for folder in folders]
    for family in families:
        found = _ends(results, family, stored)
        if found:
            results.ends[family.label] = found
    return results


def _check_same_tasks(first: Folder, other: Folder) -> None:
    """MetarlError unless both have the same frozen tasks; it names the first that differ."""
    for label in {**first.plan["hashes"], **other.plan["hashes"]}:
        ours, theirs = (folder.plan["hashes"].get(label, {}) for folder in (first, other))
        for panel in {**ours, **theirs}:
            a, b = ours.get(panel, "none"), theirs.get(panel, "none")
            if a != b:
                raise MetarlError(
                    f"{first.path} and {other.path} have different tasks: {label}, {panel}, has hash {a[:12]} in the "
                    f"first and {b[:12]} in the second. Results on different tasks are never put together"
                )


def _together(folders: Sequence[Folder]) -> dict[str, Entrant]:
    everybody: dict[str, Entrant] = {}
    for folder in folders:
        for name, entrant in folder.entrants.items():
            known = everybody.setdefault(name, entrant)
            if (known.settings, known.of, known.deterministic) != (
                entrant.settings, entrant.of, entrant.deterministic,
            ):  # fmt: skip
                raise MetarlError(f"{name} is not the same in {folder.path}: its settings differ; rename one of them")
    return everybody


def _read_cells(folders: Sequence[Folder], results: Results) -> dict[str, set[str]]:
    """Fill in lives, metas, failures and what is unfinished; the worlds that each distribution was lived in."""
    worlds: dict[str, set[str]] = {}
    parts: dict[tuple[str, str, str], dict[int, Lives]] = {}
    missing: dict[Cell, str | None] = {}
    for folder in folders:
        for cell in folder.cells():
            if not folder.finished(cell):
                missing[cell] = missing.get(cell) or folder.failure(cell)
                continue
            found = checked(folder, cell)
            for panel, lived in found.panels.items():
                seeds = parts.setdefault((cell.family, cell.entrant, panel), {})
                lives = Lives.of(cell.seed, lived)
                if cell.seed in seeds and not np.array_equal(seeds[cell.seed].returns, lives.returns):
                    raise MetarlError(f"there are two different results for {cell}: leave out one of the folders")
                seeds[cell.seed] = lives
            results.metas[cell] = found.meta
            worlds.setdefault(cell.family, set()).add(json.dumps(found.meta["fingerprint"], sort_keys=True))
    results.lives |= {key: Lives.together([*seeds.values()]) for key, seeds in parts.items()}
    for cell, why in missing.items():
        if cell not in results.metas:
            if why is None:
                results.unfinished.append(cell)
            else:
                results.failures[cell] = why
    return worlds


def checked(folder: Folder, cell: Cell) -> record.Record:
    """The cell's file; MetarlError unless it is of this cell and was lived on the plan's tasks."""
    path = folder.at(cell) / EVAL
    found = record.read(path)
    who = Cell(found.meta.get("distribution", ""), found.meta.get("entrant", ""), found.meta.get("seed", -1))
    if who != cell:
        raise MetarlError(f"{path} is of {who}, not of {cell}: put it back where it belongs, or delete it")
    family = next(family for family in folder.suite.families if family.label == cell.family)
    for panel in family.lived_by(folder.entrants[cell.entrant]):
        expected = folder.hash(family, panel)
        there = found.panels[panel].hash if panel in found.panels else "none"
        if there != expected:
            raise MetarlError(
                f"{path} was lived on other tasks: {cell.family}, {panel}, has hash {there[:12]}, the plan says "
                f"{expected[:12]}. Delete it, and give the command of the benchmark again"
            )
    return found


def _fingerprints(worlds: Mapping[str, set[str]]) -> list[str]:
    """A warning for each distribution whose world was not the same everywhere."""
    return [
        f"{label}: these results come from {len(prints)} different worlds: {'; '.join(sorted(prints))}"
        for label, prints in worlds.items()
        if len(prints) > 1
    ]


def _source(folder: Folder) -> dict[str, Any]:
    return {"folder": str(folder.path), "command": folder.plan["command"]}


def _ends(results: Results, family: Family, stored: Sequence[Mapping[str, Mapping[str, Ends]]]) -> dict[str, Ends]:
    """Both ends of the scale, panel by panel: those stored, else those that took part."""
    found: dict[str, Ends] = {}
    for panel, tasks in results.tasks[family.label].items():
        fitting = [of[family.label][panel] for of in stored if panel in of.get(family.label, {})]
        fitting = [ends for ends in fitting if ends.hash == tasks.hash]
        own = measured(results, family, panel)
        if fitting or own:
            found[panel] = fitting[0] if fitting else own  # pyright: ignore[reportArgumentType]
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


def measured(results: Results, family: Family, panel: str) -> Ends | None:
    """Both ends as those who took part have lived them; None where one of them has not."""
    floor, best = (results.lives.get((family.label, who, panel)) for who in (FLOOR, family.reference))
    if floor is None or best is None:
        return None
    entrant = results.entrants[family.reference]
    trained = f", {len(best.seeds)} seeds of {family.budget(entrant):,} env steps" if _trained(results, entrant) else ""
    by = f"{family.reference}{trained}, {best.returns.shape[3]} replicates"
    return references.measure(floor.returns, best.returns, results.tasks[family.label][panel].hash, by)


def _trained(results: Results, entrant: Entrant) -> bool:
    return any(meta["trained"] for cell, meta in results.metas.items() if cell.entrant == entrant.name)
