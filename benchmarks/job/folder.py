"""The folder of a benchmark: what was planned, and where each cell's files lie.

benchmark.json                                  the plan: suite, methods, seeds, hashes of the frozen tasks
tasks/DISTRIBUTION-PANEL.json                   the frozen tasks themselves
cells/DISTRIBUTION/ENTRANT/seed-0/run/          a training run, as `metarl train` leaves it, or single tasks learned
cells/DISTRIBUTION/ENTRANT/seed-0/eval.npz      what the method lived through; a cell that has it is finished
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
from metarl.benchmarks.suites.method import Method
from metarl.benchmarks.suites.scratch import SCRATCH
from metarl.benchmarks.suites.suite import Suite, SuiteEntry
from metarl.errors import MetarlError
from metarl.tasks.task_set import TaskSet
from metarl.training.run_dir import EVAL, write_atomically, writing

PLAN, FAILED = "benchmark.json", "failed.json"
FORMAT, SCHEMA = "metarl benchmark", 2


@dataclass(frozen=True)
class RunKey:
    """One method, trained with one seed, on one distribution."""

    entry: str
    method: str
    seed: int

    def __str__(self) -> str:
        return f"{self.method} on {self.entry}, seed {self.seed}"


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
    def methods(self) -> dict[str, Method]:
        return {name: Method.from_json(name, data) for name, data in self.plan["methods"].items()}

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
            _ = folder.suite, folder.methods, plan["hashes"], plan["seeds"]
        except (KeyError, OSError, TypeError, ValueError) as error:
            if isinstance(error, MetarlError):
                raise
            raise MetarlError(
                f"{file} is damaged ({error!r}): restore it from a copy, or give another --out"
            ) from error
        return folder

    @staticmethod
    def begin(
        path: str | Path, suite: Suite, methods: Mapping[str, Method], seeds: int,
        distributions: Sequence[str] = (), steps: int | None = None,
    ) -> Folder:  # fmt: skip
        """Make the folder, or go on with what an earlier call began: more agents, seeds and distributions may join.

        distributions, steps: see Suite.limited.
        """
        path = Path(path)
        tasks = {f.label: {eval_set: suite.tasks(f, eval_set) for eval_set in f.eval_sets} for f in suite.entries}
        hashes = {
            label: {eval_set: frozen.hash for eval_set, frozen in eval_sets.items()}
            for label, eval_sets in tasks.items()
        }
        plan = {
            "format": FORMAT, "schema": SCHEMA, "suite": suite.to_json(), "seeds": seeds, "hashes": hashes,
            "limits": {"distributions": list(distributions), "steps": steps},
            "methods": {name: method.to_json() for name, method in methods.items()},
            "command": shlex.join(["metarl", *sys.argv[1:]]),
        }  # fmt: skip
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            plan = _joined(path, Folder.open(path).plan, plan)
        with writing(path, "give another --out"):
            (path / "tasks").mkdir(parents=True, exist_ok=True)
            for label, eval_sets in tasks.items():
                for eval_set, frozen in eval_sets.items():
                    frozen.save(path / "tasks" / f"{label}-{eval_set}.json")
            write_atomically(path / PLAN, (json.dumps(plan, indent=1) + "\n").encode())
        return Folder.open(path)

    def run_keys(self) -> Iterator[RunKey]:
        """Every cell of the plan. Who learns nothing beforehand has one seed; who only measures others (a reference, a
        ceiling) lives on the families that name it."""
        measures = {name for entry in self.suite.entries for name in (entry.reference, entry.ceiling)}
        measures -= {*self.suite.controls, *self.suite.agents}
        for entry in self.suite.entries:
            for method in self.methods.values():
                if method.name in measures - {entry.reference, entry.ceiling}:
                    continue
                for seed in range(self._seeds(entry, method)):
                    yield RunKey(entry.label, method.name, seed)

    def _seeds(self, entry: SuiteEntry, method: Method) -> int:
        if method.scratch:
            return min(self.plan["seeds"], entry.scratch.seeds) if entry.scratch else 0
        return self.plan["seeds"] if method.trains else 1

    def at(self, run_key: RunKey) -> Path:
        """The cell's own folder."""
        return self.path / "cells" / run_key.entry / self.methods[run_key.method].folder / f"seed-{run_key.seed}"

    def run_dir(self, run_key: RunKey) -> Path:
        """Where the training that the cell lives from is kept."""
        owner = self.methods[run_key.method].owner
        return self.at(RunKey(run_key.entry, owner, run_key.seed)) / "run"

    def finished(self, run_key: RunKey) -> bool:
        return (self.at(run_key) / EVAL).is_file()

    def failure(self, run_key: RunKey) -> str | None:
        """Why the cell failed; None if it did not."""
        file = self.at(run_key) / FAILED
        try:
            return None if self.finished(run_key) or not file.is_file() else json.loads(file.read_text())["reason"]
        except (KeyError, TypeError, ValueError):
            return "for a reason that was not written down"

    def fail(self, run_key: RunKey, reason: str, details: str = "") -> None:
        """Note that the cell failed. The next call tries again."""
        self.at(run_key).mkdir(parents=True, exist_ok=True)
        text = json.dumps({"reason": reason, "details": details}, indent=1)
        write_atomically(self.at(run_key) / FAILED, (text + "\n").encode())

    def tasks(self, entry: SuiteEntry, eval_set: str) -> TaskSet:
        """The frozen tasks of an eval set; MetarlError if they are not those of the plan."""
        if eval_set == SCRATCH:
            return self.tasks(entry, entry.scored)[: entry.scratch.tasks if entry.scratch else 0]
        frozen = TaskSet.load(self.path / "tasks" / f"{entry.label}-{eval_set}.json")
        if frozen.hash != self.hash(entry, eval_set):
            raise MetarlError(f"{self.path}: the tasks of {entry.label}, {eval_set}, are not those that it began with")
        return frozen

    def hash(self, entry: SuiteEntry, eval_set: str) -> str:
        """Of the tasks that the plan says for an eval set."""
        return self.tasks(entry, eval_set).hash if eval_set == SCRATCH else self.plan["hashes"][entry.label][eval_set]


def _joined(path: Path, was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The plan of both calls; MetarlError where they contradict each other."""
    for key in ("suite", "hashes"):
        if (where := _difference(was[key], now[key])) is not None:
            raise MetarlError(f"{path} was begun with another {key} (they differ in {where}): give another --out")
    for name, method in now["methods"].items():
        if was["methods"].get(name, method) != method:
            where = _difference(was["methods"][name], method)
            raise MetarlError(f"{path} was begun with another {name} (it differs in {where}): give another --out")
    everybody = {**was["methods"], **now["methods"]}
    limits = _both(path, was["limits"], now["limits"])
    return {**now, "methods": everybody, "seeds": max(was["seeds"], now["seeds"]), "limits": limits}


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
