"""The base classes of perturbations: task parameters that change a robot's model, actions or observations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import mujoco
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.tasks.parameter import Parameter

Fields = dict[str, Tensor]  # model field -> float64 [B, ...], one row per environment
Task = Mapping[str, Tensor]  # parameter -> [B, *shape]


class Channel(ABC):
    """A transformation of the actions or observations of one batched simulation.

    A channel may store values of earlier steps. Its state for an environment must depend only on that environment and
    on steps 0, 1, ... of the current episode, so that it needs no reset.
    """

    @abstractmethod
    def send(self, value: Tensor, task: Task, now: CounterRNG) -> Tensor:
        """Return the output [B, n] for the input `value` [B, n] at step `now.step`; repeated calls are equal.

        now: random numbers of this step of the episode; `now.step` is int64 [B].
        """


class Perturbation(ABC):
    """A perturbation of any robot, registered under `name`."""

    kind: ClassVar[str] = "perturbation"
    name: str
    fields: tuple[str, ...] = ()  # model fields that it changes
    derived_constants: bool = False  # whether MuJoCo derives constants from these fields (mj_setConst)
    order: int = 0  # changes to a field run in this order: scale (0), then add (1), then switch off (2)

    @abstractmethod
    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        """Return the parameters for this model; none if the perturbation does not apply to it."""

    def labels(self, model: mujoco.MjModel) -> dict[str, tuple[str, ...]]:
        """Return the names of the elements of vector parameters, so that a task can set x[name] alone."""
        return {}

    def change(self, model: mujoco.MjModel, fields: Fields, task: Task) -> None:  # noqa: B027 - not all change the model
        """Replace entries of `fields` by new tensors.

        fields: the compiled values, with the changes of earlier perturbations. task: all parameters of this
        perturbation; neutral values must leave the fields unchanged.
        """

    def action_channel(self, shape: tuple[int, int], device: torch.device) -> Channel | None:
        """Return a new channel for actions [B, nu] in [-1, 1], or None."""
        return None

    def observation_channel(self, shape: tuple[int, int], device: torch.device) -> Channel | None:
        """Return a new channel for observations [B, n], or None."""
        return None


def expand_dims_like(values: Tensor, like: Tensor) -> Tensor:
    """Append axes of length 1 to `values` [B, ...] so that it broadcasts against `like`."""
    return values.reshape(*values.shape, *[1] * (like.dim() - values.dim()))
