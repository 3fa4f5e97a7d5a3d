"""What a perturbation is: parameters a task sets, and the model fields they change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import mujoco
from torch import Tensor

from metarl.envs.physics import Physics
from metarl.parameters import Parameter


class Perturbation(ABC):
    """Registered under `name`; applies to every robot, by the physics contract alone."""

    kind: ClassVar[str] = "perturbation"
    name: str
    derived_constants: bool = False  # whether MuJoCo derives constants from the fields it writes

    @abstractmethod
    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        """What a task may set, for this model."""

    @abstractmethod
    def apply(self, physics: Physics, task: Mapping[str, Tensor], mask: Tensor) -> None:
        """Write the model fields of the masked environments; `task` holds this perturbation's parameters, [B, *shape].

        Scale from `physics.default(name)`: scaling the current value would compound from task to task.
        """
