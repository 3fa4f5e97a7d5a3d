"""What a goal is: parameters a task sets, and the reward terms they add to a robot's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from torch import Tensor

from metarl.tasks.parameter import Parameter


class Motion(NamedTuple):
    """How a robot moved in one env step, in physics precision."""

    place: Tensor  # [B, d], where it is now, m (d = 1 on a line, 2 in a plane)
    velocity: Tensor  # [B, d], (place now - place before) / dt, m/s
    action: Tensor  # [B, nu], as the agent chose it, clipped to [-1, 1]
    tilt: Tensor | None = None  # [B, 2], angle from upright and its rate, rad and rad/s; for goals that need it


class Goal(ABC):
    """Registered under `name`; any robot with as many place coordinates, and a tilt if needed, may take it."""

    kind: ClassVar[str] = "goal"
    name: str
    parameters: tuple[Parameter, ...]
    place_size: int = 1  # place coordinates it reads
    needs_tilt: bool = False  # whether it reads `Motion.tilt`
    marked: str | None = None  # the parameter that is a place to show in pictures, if one is

    def prepared(self, task: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The task and what follows from it alone, for `terms`: computed when tasks change, not at every step."""
        return task

    @abstractmethod
    def terms(self, motion: Motion, task: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Named reward terms [B] of weight 1; `task` holds this goal's parameters [B, *shape], and is prepared."""
