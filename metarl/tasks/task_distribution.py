"""Task distributions as data: a world, the parameters that vary in it, their samplers, and the splits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from metarl import registry
from metarl.errors import MetarlError, unknown
from metarl.tasks import splits
from metarl.tasks.parameter import Parameter, as_numbers
from metarl.tasks.samplers import Joint, Sampler, sampler_from_json
from metarl.tasks.splits import Names, Samplers
from metarl.tasks.task_set import TaskSet
from metarl.tasks.world_config import ConfiguredWorld, WorldConfig


@dataclass(frozen=True, eq=False)
class TaskDistribution:
    """A distribution over tasks of one world.

    `parameters` maps the name of each parameter that varies (or a tuple of names, drawn jointly) to its sampler.
    All other parameters keep the world's neutral value. `split` is the way in which tasks are held out:

    - "disjoint": every task belongs to train, valid or test by a hash of its content, so no task is in two of
      them. Finite distributions are cut into exact fractions by rank of that hash. With fewer than 10 tasks there is
      a train split only.
    - "iid": valid and test are fresh draws from the training samplers, for distributions whose optimal behaviour must
      search the whole space.

    `ood` replaces the samplers of the parameters it names. Draws inside the training support are rejected.
    """

    name: str
    world: str
    parameters: Samplers
    goal: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)  # settings of the world that all tasks share
    ood: Samplers = field(default_factory=dict)
    split: Literal["disjoint", "iid"] = "disjoint"
    horizon: int = 200  # H, the largest number of steps in an episode
    episodes: int = 2  # K, episodes in a trial
    version: int = 0
    tests: str = ""  # one line: the ability of an agent that the distribution tests

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

    # The world --------------------------------------------------------------------------------------------------

    @cached_property
    def simulated_world(self) -> ConfiguredWorld:
        """The world of this distribution. Raises MetarlError if its name is unknown."""
        return registry.find("world", self.world)

    @property
    def world_config(self) -> WorldConfig:
        """The configuration of the world. Raises MetarlError for parameters that the world does not have."""
        return replace(self._requested, parameters=tuple(self.specs))

    @property
    def _requested(self) -> WorldConfig:
        names = sorted(name for group in self.parameters for name in _flat(group))
        return WorldConfig(self.name, self.goal, self.settings, tuple(names))

    @cached_property
    def specs(self) -> dict[str, Parameter]:
        """The world's description of the parameters that vary, by name. Raises MetarlError for an unknown parameter."""
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
        """Draw tasks of every split, check the values against the world's bounds, and make one environment."""
        for split in self.splits:
            self.tasks(split, 16, seed=0)
        self.make().close()

    # Tasks ------------------------------------------------------------------------------------------------------

    @cached_property
    def finite_tasks(self) -> dict[str, np.ndarray] | None:
        """Every task of a finite, uniform distribution, or None."""
        return splits.enumerate_tasks(self.parameters)

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """The splits of this distribution."""
        held_out = self.split == "iid" or self.finite_tasks is None or splits.can_be_cut(self.finite_tasks)
        return ("train", *(("valid", "test") if held_out else ()), *(("ood",) if self.ood else ()))

    def require(self, split: str) -> str:
        """Return `split` if this distribution has it. Raise MetarlError with the reason if not."""
        if split not in ("train", "valid", "test", "ood"):
            raise unknown("split", split, self.splits)
        if split not in self.splits:
            why = "declares no ood samplers" if split == "ood" else f"has only {splits.size(self.finite_tasks)} tasks"
            raise MetarlError(f"{self.name} {why}, so there is no {split} split: use {', '.join(self.splits)}")
        return split

    def tasks(self, split: str = "train", n: int = 1, seed: int = 0) -> TaskSet:
        """Return n tasks, a pure function of (distribution, split, n, seed)."""
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
        """Return tasks that a user gives, a task set or a dict of one task's parameters, as a task set.

        Raises MetarlError for missing or unknown parameters and for values out of bounds.
        """
        if isinstance(tasks, TaskSet) and self._is_checked(tasks):
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

    def _is_checked(self, tasks: TaskSet) -> bool:
        """Return whether a set was made with this distribution's parameters and so was checked when it was made."""
        described = tasks.parameters.keys() == self.specs.keys() and all(
            tasks.parameters[name] is spec for name, spec in self.specs.items()
        )
        return described and (tasks.distribution, tasks.version) == (self.name, self.version)

    # Environments -----------------------------------------------------------------------------------------------

    def make(
        self, num_envs: int = 1, device: str = "cpu", engine: str | None = None, task_visible: bool = False
    ) -> Any:
        """Return a tensor environment that runs trials, a `metarl.core.trials.Trials`.

        engine: "mujoco" or "warp" for robots; chosen by device when None. task_visible: append the task to the
        observation.
        """
        return self.simulated_world.make(self, num_envs, device, engine, task_visible)

    # Data -------------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Return all fields as JSON data. Raise MetarlError if a sampler is a function."""

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
        """Return the distribution that `to_json` wrote."""

        def samplers(table: list[list[Any]]) -> dict[Names, Sampler]:
            return {n if isinstance(n, str) else tuple(n): sampler_from_json(sampler) for n, sampler in table}

        return TaskDistribution(**{**data, "parameters": samplers(data["parameters"]), "ood": samplers(data["ood"])})


def _plain(value: Any) -> Any:
    """Return settings with tuples as lists, as JSON reads them."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _flat(names: Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names
