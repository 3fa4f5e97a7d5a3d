"""Suites as data: task distributions, their frozen tasks and training budgets, and the methods that are compared."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from metarl import registry
from metarl.benchmarks.suites.method import Method
from metarl.benchmarks.suites.scratch_settings import SCRATCH, ScratchSettings
from metarl.checks import check_whole
from metarl.errors import MetarlError, unknown
from metarl.tasks.task_distribution import TaskDistribution
from metarl.tasks.task_set import TaskSet

HERE = Path(__file__).parent
EVAL_SETS = ("test", "train", "ood", "long")  # the first that a distribution has is the one scored


@dataclass(frozen=True)
class EvalSet:
    """A set of frozen tasks and how it is evaluated on."""

    tasks: int
    """number of tasks, N"""
    replicates: int = 4
    """trials on each task, E"""
    split: str = "test"
    """split that the tasks are drawn from"""
    episodes: int | None = None
    """episodes of a trial, K; None: as many as in training. More episodes make a long trial"""

    def __post_init__(self) -> None:
        check_whole(self, "tasks", "replicates", low=1)
        if self.episodes is not None:
            check_whole(self, "episodes", low=1)


@dataclass(frozen=True)
class SuiteEntry:
    """A task distribution in a suite."""

    name: str
    """a registered name, path/to/file.py:Name (from the suite file's folder) or package.module:Name"""
    eval_sets: Mapping[str, EvalSet]
    """name -> frozen tasks: test, train, ood and long"""
    steps: Mapping[str, int]
    """env steps of training by method; "default" for methods that are not named"""
    oracle: str = "oracle"
    """the method whose mean return is the task-informed optimum, score 1"""
    bayes_optimal: str | None = None
    """the method that explores optimally for the distribution of tasks, where there is one"""
    episodes: int | None = None
    """episodes of a trial in training and in the eval sets, K; None: the distribution's own number"""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """method -> its agent's settings on this entry, in place of those tuned for the distribution"""
    scratch: ScratchSettings | None = None
    """settings of learning single tasks from scratch; None: none are learned"""

    def __post_init__(self) -> None:
        if not self.eval_sets:
            raise MetarlError(
                f"{self.name} has no eval set: give the number of test tasks, {{'test': {{'tasks': 64}}}}"
            )
        for eval_set in self.eval_sets:
            if eval_set not in EVAL_SETS:
                raise unknown(f"eval set of {self.name}", eval_set, EVAL_SETS)
        if self.scratch and self.scratch.tasks > (available := self.eval_sets[self.scored].tasks):
            raise MetarlError(
                f"{self.name}: {self.scratch.tasks} tasks to learn from scratch, of {available} in the eval set"
            )
        for name, steps in self.steps.items():
            if not isinstance(steps, int) or steps < 1:
                raise MetarlError(f"{self.name}: steps of {name} must be a whole number of at least 1, got {steps!r}")

    @cached_property
    def distribution(self) -> TaskDistribution:
        """The task distribution, with the suite's number of episodes."""
        distribution: TaskDistribution = registry.find("distribution", self.name)
        return distribution if self.episodes is None else replace(distribution, episodes=self.episodes)

    @property
    def label(self) -> str:
        """The distribution's name without the file or module that defines it."""
        return self.name.rpartition(":")[2]

    @property
    def scored(self) -> str:
        """The eval set of the headline: test, or train where the distribution has no test tasks."""
        return next(eval_set for eval_set in EVAL_SETS if eval_set in self.eval_sets)

    def budget(self, method: Method) -> int:
        """Return the env steps of this method's training, over all tasks where it learns single ones.

        Raises MetarlError where the suite gives none.
        """
        if method.scratch:
            return self.scratch.budget if self.scratch else 0
        owner = method.owner
        steps = self.steps.get(owner, self.steps.get("default"))
        if steps is None:
            raise MetarlError(f"{self.label}: the suite has no steps for {owner!r} and no default: give one of them")
        return steps

    def eval_sets_of(self, method: Method) -> list[str]:
        """Return the eval sets that a method is evaluated on.

        The Bayes-optimal method is optimal for trials of the entry's own length; other eval sets are left out.
        """
        if method.scratch:
            return [SCRATCH]
        episodes = self.distribution.episodes
        return [
            eval_set
            for eval_set in self.eval_sets
            if method.name != self.bayes_optimal or self.distribution_of(eval_set).episodes == episodes
        ]

    def limited(self, steps: int) -> SuiteEntry:
        """Return the entry with at most `steps` env steps of training for each method."""
        fewer = {name: min(budget, steps) for name, budget in self.steps.items()}
        return replace(self, steps=fewer, scratch=self.scratch and self.scratch.limited(steps))

    def distribution_of(self, eval_set: str) -> TaskDistribution:
        """Return the task distribution with the eval set's number of episodes."""
        episodes = self.eval_sets[eval_set].episodes
        return self.distribution if episodes is None else replace(self.distribution, episodes=episodes)


@dataclass(frozen=True)
class Suite:
    """A benchmark, as read from its JSON file."""

    name: str
    entries: tuple[SuiteEntry, ...]
    methods: Mapping[str, Method]
    about: str = ""
    version: int = 1
    seeds: int = 5
    """training seeds, unless the command gives another number"""
    agents: tuple[str, ...] = ()
    """methods to compare, unless the command names others"""
    controls: tuple[str, ...] = ()
    """methods that are always included"""
    folder: Path = HERE
    """folder of the suite file"""

    def limited(self, distributions: Collection[str] = (), steps: int | None = None) -> Suite:
        """Return the suite with some of its distributions (all, when none are named), and at most `steps` env steps of
        training for each method. Raises MetarlError for an unknown distribution."""
        chosen = [self.entry(name) for name in distributions] or self.entries
        entries = tuple(entry for entry in self.entries if entry in chosen)
        return replace(self, entries=tuple(entry.limited(steps) for entry in entries) if steps else entries)

    def tasks(self, entry: SuiteEntry, eval_set: str) -> TaskSet:
        """Return the frozen tasks of an eval set, drawn where the suite has no task file."""
        file = self.task_file(entry, eval_set)
        if file.exists():
            return TaskSet.load(file)
        spec = entry.eval_sets[eval_set]
        return entry.distribution.tasks(spec.split, spec.tasks, seed=0)

    def task_file(self, entry: SuiteEntry, eval_set: str) -> Path:
        """Return the path of an eval set's frozen tasks."""
        return self.folder / "tasks" / self.name / f"{entry.label}-{eval_set}.json"

    @property
    def reference_file(self) -> Path:
        """The path of the score anchors' returns, which `metarl references` writes."""
        return self.folder / "references" / f"{self.name}.json"

    def entry(self, name: str) -> SuiteEntry:
        """Return the entry of a distribution; MetarlError for an unknown name."""
        by_label = {entry.label: entry for entry in self.entries}
        if name not in by_label:
            raise unknown(f"distribution of the suite {self.name}", name, by_label)
        return by_label[name]

    def to_json(self) -> dict[str, Any]:
        """Return the content of a suite file."""
        data = {key: value for key, value in asdict(self).items() if key not in ("entries", "methods", "folder")}
        data["distributions"] = [asdict(entry) for entry in self.entries]
        data["methods"] = {name: method.to_json() for name, method in self.methods.items()}
        return json.loads(json.dumps(data))


def names() -> list[str]:
    """Return the names of the built-in suites."""
    return sorted(path.stem for path in HERE.glob("*.json"))


def load(name: str) -> Suite:
    """Return a built-in suite by its name, or another by its file's path; MetarlError where it cannot be used."""
    path = Path(name) if name.endswith(".json") else HERE / f"{name}.json"
    if not path.is_file():
        if name.endswith(".json"):
            raise MetarlError(f"there is no suite file {path}: check the path")
        raise unknown("suite (a name, or a file that ends in .json)", name, names())
    try:
        return from_json(json.loads(path.read_text()), path.resolve().parent)
    except MetarlError as error:
        raise MetarlError(f"the suite {path} cannot be used: {error}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MetarlError(
            f"the suite {path} cannot be read ({type(error).__name__}: {error}): correct the file"
        ) from error


def from_json(data: Mapping[str, Any], folder: Path = HERE) -> Suite:
    """Return the suite of a file's content; MetarlError for an unknown key or method."""
    rest = dict(data)
    entries = tuple(_entry(item, folder) for item in rest.pop("distributions"))
    methods = {name: Method.from_json(name, _located(item, folder)) for name, item in rest.pop("methods").items()}
    for key in rest:
        if key not in (known := [field.name for field in fields(Suite)]):
            raise unknown("key of a suite", key, known)
    for key in ("agents", "controls"):
        rest[key] = tuple(rest.get(key, ()))
        for name in rest[key]:
            if name not in methods:
                raise unknown(f"method, named in {key},", name, methods)
    return Suite(**rest, entries=entries, methods=methods, folder=folder)


def _entry(data: Mapping[str, Any], folder: Path) -> SuiteEntry:
    eval_sets = {
        name: EvalSet(**{"split": name if name != "long" else "test", **eval_set})
        for name, eval_set in data["eval_sets"].items()
    }
    steps, scratch = data["steps"], data.get("scratch")
    rest: dict[str, Any] = {
        **data, "eval_sets": eval_sets, "steps": steps if isinstance(steps, Mapping) else {"default": steps},
        "scratch": scratch and ScratchSettings(**scratch),
    }  # fmt: skip
    rest["name"] = _absolute(data["name"], folder)
    return SuiteEntry(**rest)


def _located(data: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    return {key: _absolute(value, folder) if key == "agent" else value for key, value in data.items()}


def _absolute(reference: str, folder: Path) -> str:
    """Make the path in path/to/file.py:Name absolute, relative to the suite's folder."""
    location, colon, name = reference.rpartition(":")
    return f"{(folder / location).resolve()}:{name}" if colon and location.endswith(".py") else reference
