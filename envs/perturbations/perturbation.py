"""What a perturbation is: parameters a task sets, and what they change, in the model or between robot and agent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import mujoco
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.tasks.parameter import Parameter

Fields = dict[str, Tensor]  # model field -> [B, ...], float64, rows independent
Task = Mapping[str, Tensor]  # parameter -> [B, *shape]


class Channel(ABC):
    """What stands between a robot and its agent, for one simulation: actions or observations pass through it.

    A channel may remember what passed at earlier times of an episode. Whatever it holds for one environment follows
    from that environment alone, and from times 0, 1, ... of the episode it is in, so nothing needs to be reset.
    """

    @abstractmethod
    def send(self, value: Tensor, task: Task, now: CounterRNG) -> Tensor:
        """What comes out when `value` [B, n] goes in at time `now.step`; the same when it is sent again.

        `now`: random numbers of this time of the episode; `now.step`: int64 [B].
        """


class Perturbation(ABC):
    """Registered under `name`; applies to every robot, by its compiled model alone."""

    kind: ClassVar[str] = "perturbation"
    name: str
    fields: tuple[str, ...] = ()  # model fields it changes
    derived_constants: bool = False  # whether MuJoCo derives constants from them (mj_setConst)
    order: int = 0  # those of lower order change a field first: scale (0), then add (1), then switch off (2)

    @abstractmethod
    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        """What a task may set, for this model; nothing where the model has no use for it."""

    def labels(self, model: mujoco.MjModel) -> dict[str, tuple[str, ...]]:
        """Names of the elements of vector parameters, so that a task may set x[name] alone."""
        return {}

    def change(self, model: mujoco.MjModel, fields: Fields, task: Task) -> None:  # noqa: B027 - not all change the model
        """Put new tensors into `fields`, made of those there: the compiled values, as perturbations before left them.

        `task` holds every parameter of this perturbation. All neutral, nothing changes.
        """

    def action_channel(self, shape: tuple[int, int], device: torch.device) -> Channel | None:
        """A new channel for actions [B, nu] in [-1, 1], or None."""
        return None

    def observation_channel(self, shape: tuple[int, int], device: torch.device) -> Channel | None:
        """A new channel for observations [B, n], or None."""
        return None


def wide(values: Tensor, like: Tensor) -> Tensor:
    """`values` [B, ...] with axes of length 1 behind, to broadcast against `like`."""
    return values.reshape(*values.shape, *[1] * (like.dim() - values.dim()))
