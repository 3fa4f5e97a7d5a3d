"""Reading the folders of a suite and putting them together; what does not belong together is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metarl.benchmarks import ends, references
from metarl.benchmarks.job.folder import Cell, Folder
from metarl.benchmarks.joining import joined
from metarl.benchmarks.results import Lives, Results
from metarl.errors import MetarlError
from metarl.record import Lived, read
from metarl.run import EVAL

REFERENCES = "references.json"  # in a benchmark's folder: those it was begun with
CURE = "delete it and give the same command again: this cell alone is lived through anew"


def collect(paths: Sequence[str | Path]) -> Results:
    """All results of some folders of one suite; MetarlError where they contradict each other."""
    folders = [Folder.open(path) for path in paths]
    first, warnings = folders[0], []
    for other in folders[1:]:
        if other.plan["suite"] != first.plan["suite"]:
            warnings.append(f"{other.path} was made with other sizes or settings of the suite than {first.path}")
    suite, entrants = joined(folders)
    families = suite.families
    tasks = {f.label: {panel: first.tasks(f, panel) for panel in f.panels} for f in families}
    results = Results(suite, first.whole, entrants, tasks, {}, {}, {}, [], warnings=warnings)
    results.warnings += _fingerprints(_read_cells(folders, results))
    results.sources = [_source(folder) for folder in folders]
    stored = [references.load(folder.path / REFERENCES) for folder in folders]
    for family in families:
        found = ends.find(results, family, stored)
        if found:
            results.ends[family.label] = found
    return results


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


class CellLives(NamedTuple):
    """What a cell's file holds."""

    panels: Mapping[str, Lived]
    meta: Mapping[str, Any]


def checked(folder: Folder, cell: Cell) -> CellLives:
    """The cell's file; MetarlError unless it is of this cell and was lived on the plan's tasks."""
    path = folder.at(cell) / EVAL
    found = read(path, CURE)
    if "entrant" not in found.meta:
        raise MetarlError(f"{path} is not of a benchmark but of `metarl evaluate`: {CURE}")
    who = Cell(found.meta.get("distribution", ""), found.meta.get("entrant", ""), found.meta.get("seed", -1))
    if who != cell:
        raise MetarlError(f"{path} is of {who}, not of {cell}: put it back where it belongs, or delete it")
    lives = {panel: agents[cell.entrant] for panel, agents in found.panels.items() if cell.entrant in agents}
    family = next(family for family in folder.suite.families if family.label == cell.family)
    for panel in family.lived_by(folder.entrants[cell.entrant]):
        expected = folder.hash(family, panel)
        there = lives[panel].hash if panel in lives else "none"
        if there != expected:
            raise MetarlError(
                f"{path} was lived on other tasks: {cell.family}, {panel}, has hash {there[:12]}, the plan says "
                f"{expected[:12]}. Delete it, and give the command of the benchmark again"
            )
    return CellLives(lives, found.meta)


def _fingerprints(worlds: Mapping[str, set[str]]) -> list[str]:
    """A warning for each distribution whose world was not the same everywhere."""
    return [
        f"{label}: these results come from {len(prints)} different worlds: {'; '.join(sorted(prints))}"
        for label, prints in worlds.items()
        if len(prints) > 1
    ]


def _source(folder: Folder) -> dict[str, Any]:
    return {"folder": str(folder.path), "command": folder.plan["command"]}
