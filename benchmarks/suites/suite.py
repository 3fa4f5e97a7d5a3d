"""What a suite is: which distributions, on which frozen tasks, with which budgets, and who enters; all as data."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from metarl import registry
from metarl.benchmarks.suites.method import Method
from metarl.benchmarks.suites.scratch import SCRATCH, Scratch
from metarl.checks import check_whole
from metarl.errors import MetarlError, unknown
from metarl.tasks.task_distribution import TaskDistribution
from metarl.tasks.task_set import TaskSet

HERE = Path(__file__).parent
EVAL_SETS = ("test", "train", "ood", "long")  # the first that a distribution has is the one scored


@dataclass(frozen=True)
class EvalSet:
    """One set of frozen tasks and how they are lived on."""

    tasks: int
    """N"""
    replicates: int = 4
    """E trials on each task"""
    split: str = "test"
    """where the tasks are from"""
    episodes: int | None = None
    """K; the distribution's own when None. More of them show a long lifetime"""

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
    """env steps of training by method; "default" for the others"""
    reference: str = "oracle"
    """the method whose mean return is the task-informed optimum, 1 on the scale"""
    ceiling: str | None = None
    """an method that explores as well as can be, drawn as the ceiling"""
    episodes: int | None = None
    """K of training and of the eval sets; the distribution's own when None"""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """method -> its agent's settings here, in place of those tuned for the distribution"""
    scratch: Scratch | None = None
    """how single tasks are learned from nothing; None: they are not"""

    def __post_init__(self) -> None:
        if not self.eval_sets:
            raise MetarlError(
                f"{self.name} has no eval set: give the number of test tasks, {{'test': {{'tasks': 64}}}}"
            )
        for eval_set in self.eval_sets:
            if eval_set not in EVAL_SETS:
                raise unknown(f"eval set of {self.name}", eval_set, EVAL_SETS)
        if self.scratch and self.scratch.tasks > (there := self.eval_sets[self.scored].tasks):
            raise MetarlError(
                f"{self.name}: {self.scratch.tasks} tasks to learn from scratch, of {there} in the eval set"
            )
        for who, steps in self.steps.items():
            if not isinstance(steps, int) or steps < 1:
                raise MetarlError(f"{self.name}: steps of {who} must be a whole number of at least 1, got {steps!r}")

    @cached_property
    def distribution(self) -> TaskDistribution:
        """The distribution, at the suite's K."""
        found: TaskDistribution = registry.find("distribution", self.name)
        return found if self.episodes is None else replace(found, episodes=self.episodes)

    @property
    def label(self) -> str:
        """The distribution's own name."""
        return self.name.rpartition(":")[2]

    @property
    def scored(self) -> str:
        """The eval set of the headline: test, or train where the family has no more tasks than those."""
        return next(eval_set for eval_set in EVAL_SETS if eval_set in self.eval_sets)

    def budget(self, method: Method) -> int:
        """Env steps this method trains for, single tasks together."""
        if method.scratch:
            return self.scratch.budget if self.scratch else 0
        owner = method.owner
        steps = self.steps.get(owner, self.steps.get("default"))
        if steps is None:
            raise MetarlError(f"{self.label}: the suite says no steps for {owner!r}, and no default")
        return steps

    def eval_sets_of(self, method: Method) -> list[str]:
        """An method's eval sets: a ceiling is planned for a trial of the family's own length, all others live any."""
        if method.scratch:
            return [SCRATCH]
        own = self.distribution.episodes
        return [
            eval_set
            for eval_set in self.eval_sets
            if method.name != self.ceiling or self.lived(eval_set).episodes == own
        ]

    def limited(self, steps: int) -> SuiteEntry:
        """With at most so many env steps of training for each method."""
        fewer = {who: min(own, steps) for who, own in self.steps.items()}
        return replace(self, steps=fewer, scratch=self.scratch and self.scratch.limited(steps))

    def lived(self, eval_set: str) -> TaskDistribution:
        """The distribution with as many episodes as the eval set's lifetime has."""
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
    """training seeds, unless the command says otherwise"""
    agents: tuple[str, ...] = ()
    """methods that take part, unless the command names others"""
    controls: tuple[str, ...] = ()
    """methods that take part whoever is named"""
    folder: Path = HERE
    """of the file"""

    def limited(self, distributions: Collection[str] = (), steps: int | None = None) -> Suite:
        """Some of its distributions (all, when none are named), with at most so many env steps for each method."""
        chosen = [self.entry(name) for name in distributions] or self.entries
        entries = tuple(entry for entry in self.entries if entry in chosen)
        return replace(self, entries=tuple(f.limited(steps) for f in entries) if steps else entries)

    def tasks(self, entry: SuiteEntry, eval_set: str) -> TaskSet:
        """The frozen tasks of an eval set; drawn where the suite is not frozen yet."""
        at = self.task_file(entry, eval_set)
        if at.exists():
            return TaskSet.load(at)
        choice = entry.eval_sets[eval_set]
        return entry.distribution.tasks(choice.split, choice.tasks, seed=0)

    def task_file(self, entry: SuiteEntry, eval_set: str) -> Path:
        """Where an eval set's tasks are frozen."""
        return self.folder / "tasks" / self.name / f"{entry.label}-{eval_set}.json"

    @property
    def reference_file(self) -> Path:
        """Where returns of the references are stored, once computed."""
        return self.folder / "references" / f"{self.name}.json"

    def entry(self, name: str) -> SuiteEntry:
        """A family by its distribution's name."""
        by_name = {entry.label: entry for entry in self.entries}
        if name not in by_name:
            raise unknown(f"distribution of the suite {self.name}", name, by_name)
        return by_name[name]

    def to_json(self) -> dict[str, Any]:
        """What the file holds."""
        data = {key: value for key, value in asdict(self).items() if key not in ("entries", "methods", "folder")}
        data["distributions"] = [asdict(entry) for entry in self.entries]
        data["methods"] = {name: method.to_json() for name, method in self.methods.items()}
        return json.loads(json.dumps(data))


def names() -> list[str]:
    """The built-in suites."""
    return sorted(path.stem for path in HERE.glob("*.json"))


def load(name: str) -> Suite:
    """A built-in suite by name, or one's own by its file's path."""
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
            f"the suite {path} cannot be read ({type(error).__name__}: {error}): mend the file"
        ) from error


def from_json(data: Mapping[str, Any], folder: Path = HERE) -> Suite:
    """A suite from what its file holds; MetarlError for a key that nobody reads."""
    rest = dict(data)
    entries = tuple(_entry(item, folder) for item in rest.pop("distributions"))
    methods = {name: Method.from_json(name, _located(item, folder)) for name, item in rest.pop("methods").items()}
    for key in rest:
        if key not in (known := [f.name for f in fields(Suite)]):
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
        "scratch": scratch and Scratch(**scratch),
    }  # fmt: skip
    rest["name"] = _absolute(data["name"], folder)
    return SuiteEntry(**rest)


def _located(data: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    return {key: _absolute(value, folder) if key == "agent" else value for key, value in data.items()}


def _absolute(reference: str, folder: Path) -> str:
    """A file's path taken from the suite's folder."""
    location, colon, name = reference.rpartition(":")
    return f"{(folder / location).resolve()}:{name}" if colon and location.endswith(".py") else reference
