"""The folder of a benchmark: its plan, and the files of every run key.

benchmark.json                                the plan: suite, methods, seeds, hashes of the frozen tasks
tasks/DISTRIBUTION-EVAL_SET.json              the frozen tasks
runs/DISTRIBUTION/METHOD/seed-0/run/          a run directory as `metarl train` writes it, or single tasks learned
runs/DISTRIBUTION/METHOD/seed-0/eval.npz      the evaluation; a run key that has this file is finished
runs/DISTRIBUTION/METHOD/seed-0/failed.json   the reason why there is no evaluation
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
from metarl.benchmarks.suites.scratch_settings import SCRATCH
from metarl.benchmarks.suites.suite import Suite, SuiteEntry
from metarl.errors import MetarlError
from metarl.tasks.task_set import TaskSet
from metarl.training.run_dir import EVAL, write_atomically, writing

PLAN, FAILED = "benchmark.json", "failed.json"
RUNS = "runs"
FORMAT, SCHEMA = "metarl benchmark", 3


@dataclass(frozen=True)
class RunKey:
    """The key of one result: a suite entry (by its label), a method and a training seed."""

    entry: str
    method: str
    seed: int

    def __str__(self) -> str:
        return f"{self.method} on {self.entry}, seed {self.seed}"


class BenchmarkFolder:
    """The folder of a benchmark."""

    def __init__(self, path: Path, plan: Mapping[str, Any]) -> None:
        self.path = path
        self.plan = plan

    @cached_property
    def suite(self) -> Suite:
        """The part of the suite that the plan includes."""
        return self.full_suite.limited(**self.plan["limits"])

    @cached_property
    def full_suite(self) -> Suite:
        """The suite as stored in the plan, with all its distributions and env steps."""
        return suites.from_json(self.plan["suite"])

    @cached_property
    def methods(self) -> dict[str, Method]:
        """The methods of the plan by name."""
        return {name: Method.from_json(name, data) for name, data in self.plan["methods"].items()}

    @staticmethod
    def open(path: str | Path) -> BenchmarkFolder:
        """Open an existing folder; MetarlError where it is not a benchmark's, or its plan is damaged."""
        file = Path(path) / PLAN
        if not file.is_file():
            raise MetarlError(f"{path} is no benchmark's folder (it has no {PLAN}): `metarl benchmark` makes one")
        try:
            plan = json.loads(file.read_text())
            if plan["format"] != FORMAT:
                raise MetarlError(f"{file} is not a plan of metarl: give the folder that `metarl benchmark` wrote")
            if plan["schema"] != SCHEMA:
                raise MetarlError(
                    f"{file} has schema {plan['schema']!r}, this metarl reads {SCHEMA}: use the version of metarl that "
                    "wrote it, or give another --out"
                )
            folder = BenchmarkFolder(Path(path), plan)
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
    ) -> BenchmarkFolder:  # fmt: skip
        """Make the folder, or continue an existing one, whose methods, seeds and distributions may be added to.

        distributions, steps: see `Suite.limited`. Raises MetarlError where the folder's plan contradicts this one.
        """
        path = Path(path)
        tasks = {
            entry.label: {eval_set: suite.tasks(entry, eval_set) for eval_set in entry.eval_sets}
            for entry in suite.entries
        }
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
            plan = _merged_plan(path, BenchmarkFolder.open(path).plan, plan)
        with writing(path, "give another --out"):
            (path / "tasks").mkdir(parents=True, exist_ok=True)
            for label, eval_sets in tasks.items():
                for eval_set, frozen in eval_sets.items():
                    frozen.save(path / "tasks" / f"{label}-{eval_set}.json")
            write_atomically(path / PLAN, (json.dumps(plan, indent=1) + "\n").encode())
        return BenchmarkFolder.open(path)

    def run_keys(self) -> Iterator[RunKey]:
        """Yield every run key of the plan.

        A method without training has one seed. A method that is only a score anchor is evaluated on the entries that
        name it.
        """
        anchors = {name for entry in self.suite.entries for name in (entry.oracle, entry.bayes_optimal)}
        anchors -= {*self.suite.controls, *self.suite.agents}
        for entry in self.suite.entries:
            for method in self.methods.values():
                if method.name in anchors - {entry.oracle, entry.bayes_optimal}:
                    continue
                for seed in range(self._seeds(entry, method)):
                    yield RunKey(entry.label, method.name, seed)

    def _seeds(self, entry: SuiteEntry, method: Method) -> int:
        if method.scratch:
            return min(self.plan["seeds"], entry.scratch.seeds) if entry.scratch else 0
        return self.plan["seeds"] if method.trains else 1

    def at(self, run_key: RunKey) -> Path:
        """Return the folder of a run key's files."""
        return self.path / RUNS / run_key.entry / self.methods[run_key.method].folder_name / f"seed-{run_key.seed}"

    def run_dir(self, run_key: RunKey) -> Path:
        """Return the run directory of the training whose weights are evaluated."""
        owner = self.methods[run_key.method].owner
        return self.at(RunKey(run_key.entry, owner, run_key.seed)) / "run"

    def finished(self, run_key: RunKey) -> bool:
        """Return True for a run key that has been evaluated."""
        return (self.at(run_key) / EVAL).is_file()

    def failure(self, run_key: RunKey) -> str | None:
        """Return the reason why a run key failed; None if it did not."""
        file = self.at(run_key) / FAILED
        try:
            return None if self.finished(run_key) or not file.is_file() else json.loads(file.read_text())["reason"]
        except (KeyError, TypeError, ValueError):
            return f"unknown: {file} is damaged"

    def fail(self, run_key: RunKey, reason: str, details: str = "") -> None:
        """Write the reason why a run key failed. The next `metarl benchmark` runs it again."""
        self.at(run_key).mkdir(parents=True, exist_ok=True)
        text = json.dumps({"reason": reason, "details": details}, indent=1)
        write_atomically(self.at(run_key) / FAILED, (text + "\n").encode())

    def tasks(self, entry: SuiteEntry, eval_set: str) -> TaskSet:
        """Return the frozen tasks of an eval set; MetarlError if they are not those of the plan."""
        if eval_set == SCRATCH:
            return self.tasks(entry, entry.scored)[: entry.scratch.tasks if entry.scratch else 0]
        frozen = TaskSet.load(self.path / "tasks" / f"{entry.label}-{eval_set}.json")
        if frozen.hash != self.hash(entry, eval_set):
            raise MetarlError(
                f"{self.path}: the tasks of {entry.label}, {eval_set}, are not those of the plan: restore the file in "
                "tasks/, or give another --out"
            )
        return frozen

    def hash(self, entry: SuiteEntry, eval_set: str) -> str:
        """Return the hash of an eval set's tasks in the plan."""
        return self.tasks(entry, eval_set).hash if eval_set == SCRATCH else self.plan["hashes"][entry.label][eval_set]


def _merged_plan(path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan of both calls; MetarlError where they contradict each other."""
    for key in ("suite", "hashes"):
        if (where := _difference(old[key], new[key])) is not None:
            raise MetarlError(f"{path} was begun with another {key} (they differ in {where}): give another --out")
    for name, method in new["methods"].items():
        if old["methods"].get(name, method) != method:
            where = _difference(old["methods"][name], method)
            raise MetarlError(f"{path} was begun with another {name} (it differs in {where}): give another --out")
    methods = {**old["methods"], **new["methods"]}
    limits = _merged_limits(path, old["limits"], new["limits"])
    return {**new, "methods": methods, "seeds": max(old["seeds"], new["seeds"]), "limits": limits}


def _merged_limits(path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the limits of both calls: the union of their distributions; MetarlError unless env steps are the same."""
    if old["steps"] != new["steps"]:
        a, b = (limits["steps"] or "those of the suite" for limits in (old, new))
        raise MetarlError(f"{path} was begun with other env steps (--steps: {a} there, {b} here): give another --out")
    a, b = old["distributions"], new["distributions"]
    return {**new, "distributions": list(dict.fromkeys([*a, *b])) if a and b else []}  # an empty list means all


def _difference(a: Any, b: Any, at: str = "") -> str | None:
    """Return the place where two JSON values first differ, with both values; None where they are equal."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in {**a, **b}:
            if (where := _difference(a.get(key), b.get(key), f"{at}.{key}".lstrip("."))) is not None:
                return where
        return None
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        pairs = enumerate(zip(a, b, strict=True))
        return next((w for i, (x, y) in pairs if (w := _difference(x, y, f"{at}[{i}]")) is not None), None)
    return None if a == b else f"{at}: {a!r} there, {b!r} here"
