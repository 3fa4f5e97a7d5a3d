"""Worlds: a robot or a game that tasks configure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import torch

from metarl.core.environment import Environment
from metarl.core.simulation import Simulation
from metarl.core.trials import Trials
from metarl.tasks.parameter import Parameter
from metarl.tasks.world_config import WorldConfig

if TYPE_CHECKING:
    from metarl.tasks.task_distribution import TaskDistribution


class World(ABC):
    """A robot or a game that tasks configure. Instances are registered under `name`."""

    kind: ClassVar[str] = "world"
    name: str

    @abstractmethod
    def parameters(self, config: WorldConfig) -> tuple[Parameter, ...]:
        """Return every parameter that a task may set, given the distribution's goal and settings.

        Raises MetarlError where the goal or the settings do not belong to this world.
        """

    @abstractmethod
    def build(self, config: WorldConfig, num_envs: int, device: torch.device, engine: str | None) -> Simulation:
        """Return a simulation of B environments on `device`.

        engine: "mujoco" or "warp" for robots; None to choose by device.
        """

    def make(
        self, distribution: TaskDistribution, num_envs: int, device: str, engine: str | None, task_visible: bool
    ) -> Trials:
        """Return a tensor environment for trials of `distribution`; see `TaskDistribution.make`."""
        return Trials(Environment(distribution, num_envs, device, engine, task_visible), distribution.episodes)

    def why_unfit(self, device: str) -> str | None:
        """Return why this world cannot be simulated on a kind of device (cpu, cuda), with the cure; None if it can."""
        return None

    def fingerprint(self, device: str = "cpu") -> Mapping[str, str]:
        """Return what results depend on beside the task: a hash of the model, the engine and its version."""
        return {}
