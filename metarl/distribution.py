"""Task distributions as data: a world, what varies in it, how it is drawn, and the splits (contracts 1 and 5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from metarl import registry, splits
from metarl.errors import MetarlError, unknown
from metarl.laws import Joint, Law, law_from_json
from metarl.parameters import Parameter, as_numbers
from metarl.tasks import TaskSet

if TYPE_CHECKING:
    from metarl.trials import Trials
    from metarl.world import World

Names = str | tuple[str, ...]  # one parameter, or several drawn jointly
Laws = Mapping[Any, Law]  # of Names to laws; Any, for mappings are invariant in their keys


@dataclass(frozen=True, eq=False)
class TaskDistribution:
    """A family of tasks over one world.

    `parameters` maps the name of each parameter that varies (or a tuple of names, drawn jointly) to its law;
    everything else keeps the world's neutral value. `split` says how unseen tasks are held out:

    - "disjoint": every task belongs to train, valid or test by a hash of its content, so no task is in two of
      them. Finite families are cut into exact shares by rank of that hash; those of fewer than 10 tasks have a
      train split only.
    - "iid": valid and test are fresh draws from the training law (for families whose optimal behaviour must
      search the whole space).

    `ood` replaces the laws of the parameters it names; draws inside the training support are rejected.
    """

    name: str
    world: str
    parameters: Laws
    goal: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)  # what the world fixes for all tasks
    ood: Laws = field(default_factory=dict)
    split: Literal["disjoint", "iid"] = "disjoint"
    horizon: int = 200  # H, steps an episode lasts at most
    episodes: int = 2  # K, episodes in a trial
    version: int = 0
    tests: str = ""  # a line on what it asks of an agent

    kind: ClassVar[str] = "distribution"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[\w.-]+", self.name):
            raise MetarlError(f"{self.name!r} cannot be a distribution's name: use letters, digits and _ . - only")
        for label, value in (("horizon", self.horizon), ("episodes", self.episodes)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise MetarlError(f"{self.name}: {label} must be a whole number of at least 1, got {value!r}")
        if self.split not in ("disjoint", "iid"):
            raise MetarlError(f"{self.name}: split must be 'disjoint' or 'iid', got {self.split!r}")
        for names, law in {**self.parameters, **self.ood}.items():
            if not isinstance(law, Law) or isinstance(law, Joint) == isinstance(names, str):
                raise MetarlError(
                    f"{self.name}: {names!r} needs a law such as metarl.Uniform(0, 1), got {law!r}; "
                    "a constant is metarl.Fixed(value), several parameters drawn at once are "
                    "('a', 'b'): metarl.Joint(function)"
                )
        for names in self.ood:
            if names not in self.parameters:
                raise unknown(f"parameter of {self.name}, named in ood,", str(names), map(str, self.parameters))

    # What the world makes of it ---------------------------------------------------------------------------------

    @cached_property
    def simulated_world(self) -> World:
        """The world this distribution is over; raises MetarlError where it is not known."""
        return registry.find("world", self.world)

    @cached_property
    def specs(self) -> dict[str, Parameter]:
        """The parameters that vary, by name, as the world describes them; MetarlError for one it does not know."""
        known = {parameter.name: parameter for parameter in self.simulated_world.parameters(self)}
        specs: dict[str, Parameter] = {}
        for names in self.parameters:
            for name in _flat(names):
                if name not in known:
                    raise unknown(f"parameter of {self.name} (world {self.world}, goal {self.goal})", name, known)
                if name in specs:
                    raise MetarlError(f"{self.name}: the parameter {name!r} is given twice")
                specs[name] = known[name]
        return dict(sorted(specs.items()))

    def validate(self) -> None:
        """Draw from every law once, check the values against the world's bounds, and make one environment."""
        for split in self.splits:
            self.tasks(split, 16, seed=0)
        self.make().close()

    # Tasks ------------------------------------------------------------------------------------------------------

    @cached_property
    def finite_tasks(self) -> dict[str, np.ndarray] | None:
        """Every task of a finite, uniform family, or None."""
        return splits.enumerate_tasks(self.parameters)

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """The splits this family has."""
        held_out = self.split == "iid" or self.finite_tasks is None or splits.can_be_cut(self.finite_tasks)
        return ("train", *(("valid", "test") if held_out else ()), *(("ood",) if self.ood else ()))

    def require(self, split: str) -> str:
        """`split`, if this family has it; else MetarlError with the reason."""
        if split not in ("train", "valid", "test", "ood"):
            raise unknown("split", split, self.splits)
        if split not in self.splits:
            why = "declares no ood laws" if split == "ood" else f"has only {splits.size(self.finite_tasks)} tasks"
            raise MetarlError(f"{self.name} {why}, so there is no {split} split: use {', '.join(self.splits)}")
        return split

    def tasks(self, split: str = "train", n: int = 1, seed: int = 0) -> TaskSet:
        """n tasks; a pure function of (distribution, split, n, seed)."""
        self.require(split)
        if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
            raise MetarlError(f"the number of tasks must be a whole number of at least 1, got {n!r}")
        specs = self.specs
        params = splits.draw(self, split, n, seed)
        return TaskSet({name: params[name] for name in specs}, specs, self.name, self.version, split, copy=False)

    def task_set(self, tasks: TaskSet | Mapping[str, Any]) -> TaskSet:
        """Tasks a user gives: a task set, or a dict of one task's parameters; all of them, within bounds."""
        if isinstance(tasks, TaskSet) and self._is_own(tasks):
            return tasks
        if isinstance(tasks, TaskSet):
            given: Mapping[str, Any] = tasks.params
        elif isinstance(tasks, Mapping):
            given = {name: as_numbers(f"parameter {name!r}", value)[None] for name, value in tasks.items()}
        else:
            raise MetarlError(f"tasks are a TaskSet or a dict of parameters, got {type(tasks).__name__}")
        for name in given:
            if name not in self.specs:
                raise unknown(f"parameter of {self.name}", name, self.specs)
        if missing := [name for name in self.specs if name not in given]:
            raise MetarlError(f"a task of {self.name} needs {', '.join(self.specs)}; missing: {', '.join(missing)}")
        split = tasks.split if isinstance(tasks, TaskSet) else ""
        return TaskSet({name: given[name] for name in self.specs}, self.specs, self.name, self.version, split)

    def _is_own(self, tasks: TaskSet) -> bool:
        """Whether a set was made of this distribution's own parameters, and so checked when it was made."""
        described = tasks.parameters.keys() == self.specs.keys() and all(
            tasks.parameters[name] is spec for name, spec in self.specs.items()
        )
        return described and (tasks.distribution, tasks.version) == (self.name, self.version)

    # Environments -----------------------------------------------------------------------------------------------

    def make(
        self, num_envs: int = 1, device: str = "cpu", engine: str | None = None, task_visible: bool = False
    ) -> Trials:
        """A tensor environment that lives through trials (contract 7). `task_visible` appends the task to `obs`."""
        from metarl.environment import Environment
        from metarl.trials import Trials

        return Trials(Environment(self, num_envs, device, engine, task_visible), self.episodes)

    # Data -------------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON data; raises MetarlError where a law is a function."""

        def laws(table: Laws) -> list[list[Any]]:
            return [[names if isinstance(names, str) else list(names), law.to_json()] for names, law in table.items()]

        return {
            "name": self.name, "version": self.version, "world": self.world, "goal": self.goal,
            "settings": _plain(self.settings), "parameters": laws(self.parameters), "ood": laws(self.ood),
            "split": self.split, "horizon": self.horizon, "episodes": self.episodes, "tests": self.tests,
        }  # fmt: skip

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> TaskDistribution:
        """The inverse of `to_json`."""

        def laws(table: list[list[Any]]) -> dict[Names, Law]:
            return {n if isinstance(n, str) else tuple(n): law_from_json(law) for n, law in table}

        return TaskDistribution(**{**data, "parameters": laws(data["parameters"]), "ood": laws(data["ood"])})


def _plain(value: Any) -> Any:
    """Settings as JSON reads them back: tuples are lists."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _flat(names: Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names
