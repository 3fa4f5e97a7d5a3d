"""The folder of a benchmark: what was planned, and where each cell's files lie.

benchmark.json                                  the plan: suite, entrants, seeds, hashes of the frozen tasks
tasks/DISTRIBUTION-PANEL.json                   the frozen tasks themselves
cells/DISTRIBUTION/ENTRANT/seed-0/run/          a training run, as `metarl train` leaves it, or single tasks learned
cells/DISTRIBUTION/ENTRANT/seed-0/eval.npz      what the entrant lived through; a cell that has it is finished
cells/DISTRIBUTION/ENTRANT/seed-0/failed.json   why there is none
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from metarl.benchmarks.suites import suite as suites
from metarl.benchmarks.suites.entrant import Entrant
from metarl.benchmarks.suites.scratch import SCRATCH
from metarl.benchmarks.suites.suite import Family, Suite
from metarl.errors import MetarlError
from metarl.run import EVAL, write_atomically, writing
from metarl.tasks import TaskSet

PLAN, FAILED = "benchmark.json", "failed.json"
FORMAT, SCHEMA = "metarl benchmark", 2


@dataclass(frozen=True)
class Cell:
    """One entrant, trained with one seed, on one distribution."""

    family: str
    entrant: str
    seed: int

    def __str__(self) -> str:
        return f"{self.entrant} on {self.family}, seed {self.seed}"


class Folder:
    """A benchmark's folder, new or from before."""

    def __init__(self, path: Path, plan: Mapping[str, Any]) -> None:
        self.path = path
        self.plan = plan

    @cached_property
    def suite(self) -> Suite:
        """What is done of the suite."""
        return self.whole.limited(**self.plan["limits"])

    @cached_property
    def whole(self) -> Suite:
        """The suite as it was when the benchmark began, with all its distributions and env steps."""
        return suites.from_json(self.plan["suite"])

    @cached_property
    def entrants(self) -> dict[str, Entrant]:
        return {name: Entrant.from_json(name, data) for name, data in self.plan["entrants"].items()}

    @staticmethod
    def open(path: str | Path) -> Folder:
        """The folder of a benchmark that was begun; MetarlError where it is none, or damaged."""
        file = Path(path) / PLAN
        if not file.is_file():
            raise MetarlError(f"{path} is no benchmark's folder (it has no {PLAN}): `metarl benchmark` makes one")
        try:
            plan = json.loads(file.read_text())
            if plan["format"] != FORMAT:
                raise MetarlError(f"{file} is not a plan of metarl's: give the folder that `metarl benchmark` made")
            if plan["schema"] != SCHEMA:
                raise MetarlError(f"{file} has schema {plan['schema']!r}, this metarl reads {SCHEMA}: upgrade metarl")
            folder = Folder(Path(path), plan)
            _ = folder.suite, folder.entrants, plan["hashes"], plan["seeds"]
        except (KeyError, OSError, TypeError, ValueError) as error:
            if isinstance(error, MetarlError):
                raise
            raise MetarlError(
                f"{file} is damaged ({error!r}): restore it from a copy, or give another --out"
            ) from error
        return folder

    @staticmethod
    def begin(
        path: str | Path, suite: Suite, entrants: Mapping[str, Entrant], seeds: int,
        distributions: Sequence[str] = (), steps: int | None = None,
    ) -> Folder:  # fmt: skip
        """Make the folder, or go on with what an earlier call began: more agents, seeds and distributions may join.

        distributions, steps: see Suite.limited.
        """
        path = Path(path)
        tasks = {f.label: {panel: suite.tasks(f, panel) for panel in f.panels} for f in suite.families}
        hashes = {label: {panel: frozen.hash for panel, frozen in panels.items()} for label, panels in tasks.items()}
        plan = {
            "format": FORMAT, "schema": SCHEMA, "suite": suite.to_json(), "seeds": seeds, "hashes": hashes,
            "limits": {"distributions": list(distributions), "steps": steps},
            "entrants": {name: entrant.to_json() for name, entrant in entrants.items()},
            "command": shlex.join(["metarl", *sys.argv[1:]]),
        }  # fmt: skip
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            plan = _joined(path, Folder.open(path).plan, plan)
        with writing(path, "give another --out"):
            (path / "tasks").mkdir(parents=True, exist_ok=True)
            for label, panels in tasks.items():
                for panel, frozen in panels.items():
                    frozen.save(path / "tasks" / f"{label}-{panel}.json")
            write_atomically(path / PLAN, (json.dumps(plan, indent=1) + "\n").encode())
        return Folder.open(path)

    def cells(self) -> Iterator[Cell]:
        """Every cell of the plan. Who learns nothing beforehand has one seed; who only measures others (a reference, a
        ceiling) lives on the families that name it."""
        measures = {name for family in self.suite.families for name in (family.reference, family.ceiling)}
        measures -= {*self.suite.controls, *self.suite.agents}
        for family in self.suite.families:
            for entrant in self.entrants.values():
                if entrant.name in measures - {family.reference, family.ceiling}:
                    continue
                for seed in range(self._seeds(family, entrant)):
                    yield Cell(family.label, entrant.name, seed)

    def _seeds(self, family: Family, entrant: Entrant) -> int:
        if entrant.scratch:
            return min(self.plan["seeds"], family.scratch.seeds) if family.scratch else 0
        return self.plan["seeds"] if entrant.trains else 1

    def at(self, cell: Cell) -> Path:
        """The cell's own folder."""
        return self.path / "cells" / cell.family / self.entrants[cell.entrant].folder / f"seed-{cell.seed}"

    def run_dir(self, cell: Cell) -> Path:
        """Where the training that the cell lives from is kept."""
        owner = self.entrants[cell.entrant].owner
        return self.at(Cell(cell.family, owner, cell.seed)) / "run"

    def finished(self, cell: Cell) -> bool:
        return (self.at(cell) / EVAL).is_file()

    def failure(self, cell: Cell) -> str | None:
        """Why the cell failed; None if it did not."""
        file = self.at(cell) / FAILED
        try:
            return None if self.finished(cell) or not file.is_file() else json.loads(file.read_text())["reason"]
        except (KeyError, TypeError, ValueError):
            return "for a reason that was not written down"

    def fail(self, cell: Cell, reason: str, details: str = "") -> None:
        """Note that the cell failed. The next call tries again."""
        self.at(cell).mkdir(parents=True, exist_ok=True)
        text = json.dumps({"reason": reason, "details": details}, indent=1)
        write_atomically(self.at(cell) / FAILED, (text + "\n").encode())

    def tasks(self, family: Family, panel: str) -> TaskSet:
        """The frozen tasks of a panel; MetarlError if they are not those of the plan."""
        if panel == SCRATCH:
            return self.tasks(family, family.scored)[: family.scratch.tasks if family.scratch else 0]
        frozen = TaskSet.load(self.path / "tasks" / f"{family.label}-{panel}.json")
        if frozen.hash != self.hash(family, panel):
            raise MetarlError(f"{self.path}: the tasks of {family.label}, {panel}, are not those that it began with")
        return frozen

    def hash(self, family: Family, panel: str) -> str:
        """Of the tasks that the plan says for a panel."""
        return self.tasks(family, panel).hash if panel == SCRATCH else self.plan["hashes"][family.label][panel]


def _joined(path: Path, was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The plan of both calls; MetarlError where they contradict each other."""
    for key in ("suite", "hashes"):
        if (where := _difference(was[key], now[key])) is not None:
            raise MetarlError(f"{path} was begun with another {key} (they differ in {where}): give another --out")
    for name, entrant in now["entrants"].items():
        if was["entrants"].get(name, entrant) != entrant:
            where = _difference(was["entrants"][name], entrant)
            raise MetarlError(f"{path} was begun with another {name} (it differs in {where}): give another --out")
    everybody = {**was["entrants"], **now["entrants"]}
    limits = _both(path, was["limits"], now["limits"])
    return {**now, "entrants": everybody, "seeds": max(was["seeds"], now["seeds"]), "limits": limits}


def _both(path: Path, was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Limits of both calls: distributions add up, where none is named all are meant; env steps must be the same."""
    if was["steps"] != now["steps"]:
        a, b = (limit["steps"] or "those of the suite" for limit in (was, now))
        raise MetarlError(f"{path} was begun with other env steps (--steps: {a} there, {b} here): give another --out")
    named = was["distributions"], now["distributions"]
    return {**now, "distributions": list(dict.fromkeys([*named[0], *named[1]])) if all(named) else []}


def _difference(a: Any, b: Any, at: str = "") -> str | None:
    """Where two JSON values first differ; None where they are equal."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in {**a, **b}:
            if (where := _difference(a.get(key), b.get(key), f"{at}.{key}".lstrip("."))) is not None:
                return where
        return None
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        pairs = enumerate(zip(a, b, strict=True))
        return next((w for i, (x, y) in pairs if (w := _difference(x, y, f"{at}[{i}]")) is not None), None)
    return None if a == b else f"{at}: {a!r} there, {b!r} here"
