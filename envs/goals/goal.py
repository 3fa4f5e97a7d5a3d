"""The base class of goals: task parameters and the reward terms that depend on them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from torch import Tensor

from metarl.tasks.parameter import Parameter


class Motion(NamedTuple):
    """The motion of B robots in one env step, in the dtype of the physics."""

    place: Tensor  # [B, d], the position after the step, m (d = 1 on a line, 2 in a plane)
    velocity: Tensor  # [B, d], (position after - position before) / dt, m/s
    action: Tensor  # [B, nu], the agent's action, clipped to [-1, 1]
    tilt: Tensor | None = None  # [B, 2], angle from upright and its rate, rad and rad/s; None unless needs_tilt


class Goal(ABC):
    """A goal of robots, registered under `name`.

    It applies to any robot with at least `place_size` position coordinates and, if `needs_tilt`, with a tilt.
    """

    kind: ClassVar[str] = "goal"
    name: str
    parameters: tuple[Parameter, ...]
    place_size: int = 1  # number of position coordinates that `terms` reads
    needs_tilt: bool = False  # whether `terms` reads `Motion.tilt`
    marked: str | None = None  # name of the parameter that is a position to mark in pictures

    def prepared(self, task: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return the task and values derived from it alone, for `terms`; called when tasks change, not every step."""
        return task

    @abstractmethod
    def terms(self, motion: Motion, task: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return named reward terms [B], whose weight is 1.

        task: the result of `prepared`; the goal's parameters are [B, *shape].
        """
