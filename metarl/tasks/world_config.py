"""The configuration that a task distribution gives to its world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from metarl.tasks.parameter import Parameter


@dataclass(frozen=True)
class WorldConfig:
    """The part of a task distribution that configures a world."""

    name: str
    """name of the distribution, for error messages"""
    goal: str | None
    """name of a registered goal; None for a world whose rules define the goal"""
    settings: Mapping[str, Any]
    """settings of the world that all tasks share"""
    parameters: tuple[str, ...]
    """names of the parameters that vary, sorted"""


class ConfiguredWorld(Protocol):
    """A world (metarl/core/world.py), as far as task distributions use it."""

    def parameters(self, config: WorldConfig) -> tuple[Parameter, ...]:
        """Return every parameter that a task may set."""
        ...

    def build(self, config: WorldConfig, num_envs: int, device: Any, engine: str | None) -> Any:
        """Return a simulation."""
        ...

    def make(self, distribution: Any, num_envs: int, device: str, engine: str | None, task_visible: bool) -> Any:
        """Return a tensor environment for trials of the distribution."""
        ...

    def why_unfit(self, device: str) -> str | None:
        """Return why the world cannot be simulated on a device; None if it can."""
        ...

    def fingerprint(self, device: str = "cpu") -> Mapping[str, str]:
        """Return what results depend on beside the task."""
        ...
