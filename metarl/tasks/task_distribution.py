"""Task distributions as data: a world, what varies in it, how it is drawn, and the splits (contracts 1 and 5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from metarl import registry
from metarl.errors import MetarlError, unknown
from metarl.tasks import splits
from metarl.tasks.parameter import Parameter, as_numbers
from metarl.tasks.samplers import Joint, Sampler, sampler_from_json
from metarl.tasks.splits import Names, Samplers
from metarl.tasks.task_set import TaskSet
from metarl.tasks.world_config import WorldConfig

if TYPE_CHECKING:
    from metarl.core.trials import Trials
    from metarl.core.world import World


@dataclass(frozen=True, eq=False)
class TaskDistribution:
    """A family of tasks over one world.

    `parameters` maps the name of each parameter that varies (or a tuple of names, drawn jointly) to its sampler;
    everything else keeps the world's neutral value. `split` says how unseen tasks are held out:

    - "disjoint": every task belongs to train, valid or test by a hash of its content, so no task is in two of
      them. Finite families are cut into exact shares by rank of that hash; those of fewer than 10 tasks have a
      train split only.
    - "iid": valid and test are fresh draws from the training sampler (for families whose optimal behaviour must
      search the whole space).

    `ood` replaces the samplers of the parameters it names; draws inside the training support are rejected.
    """

    name: str
    world: str
    parameters: Samplers
    goal: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)  # what the world fixes for all tasks
    ood: Samplers = field(default_factory=dict)
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
        for names, sampler in {**self.parameters, **self.ood}.items():
            if not isinstance(sampler, Sampler) or isinstance(sampler, Joint) == isinstance(names, str):
                raise MetarlError(
                    f"{self.name}: {names!r} needs a sampler such as metarl.Uniform(0, 1), got {sampler!r}; "
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

    @property
    def world_config(self) -> WorldConfig:
        """What this distribution asks of its world; raises MetarlError for parameters that the world does not know."""
        return replace(self._requested, parameters=tuple(self.specs))

    @property
    def _requested(self) -> WorldConfig:
        names = sorted(name for group in self.parameters for name in _flat(group))
        return WorldConfig(self.name, self.goal, self.settings, tuple(names))

    @cached_property
    def specs(self) -> dict[str, Parameter]:
        """The parameters that vary, by name, as the world describes them; MetarlError for one it does not know."""
        known = {parameter.name: parameter for parameter in self.simulated_world.parameters(self._requested)}
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
        """Draw from every sampler once, check the values against the world's bounds, and make one environment."""
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
            why = "declares no ood samplers" if split == "ood" else f"has only {splits.size(self.finite_tasks)} tasks"
            raise MetarlError(f"{self.name} {why}, so there is no {split} split: use {', '.join(self.splits)}")
        return split

    def tasks(self, split: str = "train", n: int = 1, seed: int = 0) -> TaskSet:
        """n tasks; a pure function of (distribution, split, n, seed)."""
        self.require(split)
        if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
            raise MetarlError(f"the number of tasks must be a whole number of at least 1, got {n!r}")
        specs = self.specs
        params = splits.draw(self._recipe, split, n, seed)
        return TaskSet({name: params[name] for name in specs}, specs, self.name, self.version, split, copy=False)

    @cached_property
    def _recipe(self) -> splits.Recipe:
        bounds = {name: spec.closed_bounds for name, spec in self.specs.items()}
        return splits.Recipe(
            self.name, self.version, self.parameters, self.ood, self.split == "disjoint", self.finite_tasks, bounds
        )

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
        return self.simulated_world.make(self, num_envs, device, engine, task_visible)

    # Data -------------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON data; raises MetarlError where a sampler is a function."""

        def samplers(table: Samplers) -> list[list[Any]]:
            return [
                [names if isinstance(names, str) else list(names), sampler.to_json()]
                for names, sampler in table.items()
            ]

        return {
            "name": self.name, "version": self.version, "world": self.world, "goal": self.goal,
            "settings": _plain(self.settings), "parameters": samplers(self.parameters), "ood": samplers(self.ood),
            "split": self.split, "horizon": self.horizon, "episodes": self.episodes, "tests": self.tests,
        }  # fmt: skip

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> TaskDistribution:
        """The inverse of `to_json`."""

        def samplers(table: list[list[Any]]) -> dict[Names, Sampler]:
            return {n if isinstance(n, str) else tuple(n): sampler_from_json(sampler) for n, sampler in table}

        return TaskDistribution(**{**data, "parameters": samplers(data["parameters"]), "ood": samplers(data["ood"])})


def _plain(value: Any) -> Any:
    """Settings as JSON reads them back: tuples are lists."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _flat(names: Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names
