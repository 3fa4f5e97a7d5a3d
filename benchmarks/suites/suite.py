"""What a suite is: which distributions, on which frozen tasks, with which budgets, and who enters; all as data."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from metarl import registry
from metarl.benchmarks.suites.entrant import Entrant
from metarl.benchmarks.suites.scratch import SCRATCH, Scratch
from metarl.checks import check_whole
from metarl.distribution import TaskDistribution
from metarl.errors import MetarlError, unknown
from metarl.tasks import TaskSet

HERE = Path(__file__).parent
PANELS = ("test", "train", "ood", "long")  # the first that a distribution has is the one scored


@dataclass(frozen=True)
class Panel:
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
class Family:
    """A task distribution in a suite."""

    name: str
    """a registered name, path/to/file.py:Name (from the suite file's folder) or package.module:Name"""
    panels: Mapping[str, Panel]
    """name -> frozen tasks: test, train, ood and long"""
    steps: Mapping[str, int]
    """env steps of training by entrant; "default" for the others"""
    reference: str = "oracle"
    """the entrant whose mean return is the task-informed optimum, 1 on the scale"""
    ceiling: str | None = None
    """an entrant that explores as well as can be, drawn as the ceiling"""
    episodes: int | None = None
    """K of training and of the panels; the distribution's own when None"""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """entrant -> its agent's settings here, in place of those tuned for the distribution"""
    scratch: Scratch | None = None
    """how single tasks are learned from nothing; None: they are not"""

    def __post_init__(self) -> None:
        if not self.panels:
            raise MetarlError(f"{self.name} has no panel: give the number of test tasks, {{'test': {{'tasks': 64}}}}")
        for panel in self.panels:
            if panel not in PANELS:
                raise unknown(f"panel of {self.name}", panel, PANELS)
        if self.scratch and self.scratch.tasks > (there := self.panels[self.scored].tasks):
            raise MetarlError(f"{self.name}: {self.scratch.tasks} tasks to learn from scratch, of {there} in the panel")
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
        """The panel of the headline: test, or train where the family has no more tasks than those."""
        return next(panel for panel in PANELS if panel in self.panels)

    def budget(self, entrant: Entrant) -> int:
        """Env steps this entrant trains for, single tasks together."""
        if entrant.scratch:
            return self.scratch.budget if self.scratch else 0
        owner = entrant.owner
        steps = self.steps.get(owner, self.steps.get("default"))
        if steps is None:
            raise MetarlError(f"{self.label}: the suite says no steps for {owner!r}, and no default")
        return steps

    def lived_by(self, entrant: Entrant) -> list[str]:
        """An entrant's panels: a ceiling is planned for a trial of the family's own length, all others live any."""
        if entrant.scratch:
            return [SCRATCH]
        own = self.distribution.episodes
        return [panel for panel in self.panels if entrant.name != self.ceiling or self.lived(panel).episodes == own]

    def limited(self, steps: int) -> Family:
        """With at most so many env steps of training for each entrant."""
        fewer = {who: min(own, steps) for who, own in self.steps.items()}
        return replace(self, steps=fewer, scratch=self.scratch and self.scratch.limited(steps))

    def lived(self, panel: str) -> TaskDistribution:
        """The distribution with as many episodes as the panel's lifetime has."""
        episodes = self.panels[panel].episodes
        return self.distribution if episodes is None else replace(self.distribution, episodes=episodes)


@dataclass(frozen=True)
class Suite:
    """A benchmark, as read from its JSON file."""

    name: str
    families: tuple[Family, ...]
    entrants: Mapping[str, Entrant]
    about: str = ""
    version: int = 1
    seeds: int = 5
    """training seeds, unless the command says otherwise"""
    agents: tuple[str, ...] = ()
    """entrants that take part, unless the command names others"""
    controls: tuple[str, ...] = ()
    """entrants that take part whoever is named"""
    folder: Path = HERE
    """of the file"""

    def limited(self, distributions: Collection[str] = (), steps: int | None = None) -> Suite:
        """Some of its distributions (all, when none are named), with at most so many env steps for each entrant."""
        chosen = [self.family(name) for name in distributions] or self.families
        families = tuple(family for family in self.families if family in chosen)
        return replace(self, families=tuple(f.limited(steps) for f in families) if steps else families)

    def tasks(self, family: Family, panel: str) -> TaskSet:
        """The frozen tasks of a panel; drawn where the suite is not frozen yet."""
        at = self.task_file(family, panel)
        if at.exists():
            return TaskSet.load(at)
        choice = family.panels[panel]
        return family.distribution.tasks(choice.split, choice.tasks, seed=0)

    def task_file(self, family: Family, panel: str) -> Path:
        """Where a panel's tasks are frozen."""
        return self.folder / "tasks" / self.name / f"{family.label}-{panel}.json"

    @property
    def reference_file(self) -> Path:
        """Where returns of the references are stored, once computed."""
        return self.folder / "references" / f"{self.name}.json"

    def family(self, name: str) -> Family:
        """A family by its distribution's name."""
        by_name = {family.label: family for family in self.families}
        if name not in by_name:
            raise unknown(f"distribution of the suite {self.name}", name, by_name)
        return by_name[name]

    def to_json(self) -> dict[str, Any]:
        """What the file holds."""
        data = {key: value for key, value in asdict(self).items() if key not in ("families", "entrants", "folder")}
        data["distributions"] = [asdict(family) for family in self.families]
        data["entrants"] = {name: entrant.to_json() for name, entrant in self.entrants.items()}
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
    families = tuple(_family(item, folder) for item in rest.pop("distributions"))
    entrants = {name: Entrant.from_json(name, _located(item, folder)) for name, item in rest.pop("entrants").items()}
    for key in rest:
        if key not in (known := [f.name for f in fields(Suite)]):
            raise unknown("key of a suite", key, known)
    for key in ("agents", "controls"):
        rest[key] = tuple(rest.get(key, ()))
        for name in rest[key]:
            if name not in entrants:
                raise unknown(f"entrant, named in {key},", name, entrants)
    return Suite(**rest, families=families, entrants=entrants, folder=folder)


def _family(data: Mapping[str, Any], folder: Path) -> Family:
    panels = {
        name: Panel(**{"split": name if name != "long" else "test", **panel}) for name, panel in data["panels"].items()
    }
    steps, scratch = data["steps"], data.get("scratch")
    rest: dict[str, Any] = {
        **data, "panels": panels, "steps": steps if isinstance(steps, Mapping) else {"default": steps},
        "scratch": scratch and Scratch(**scratch),
    }  # fmt: skip
    rest["name"] = _absolute(data["name"], folder)
    return Family(**rest)


def _located(data: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    return {key: _absolute(value, folder) if key == "agent" else value for key, value in data.items()}


def _absolute(reference: str, folder: Path) -> str:
    """A file's path taken from the suite's folder."""
    location, colon, name = reference.rpartition(":")
    return f"{(folder / location).resolve()}:{name}" if colon and location.endswith(".py") else reference
