"""The physics contract: B simulations of one compiled model, their state and model fields as torch views (contract 4).

Robots, goals and perturbations are written against this class alone, so they run on every engine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import mujoco
import numpy as np
import torch
from torch import Tensor


class Room(NamedTuple):
    """How much an engine of fixed buffers has room for; None leaves it to the engine."""

    contacts: int | None = None  # in a simulation, on average over all of them
    constraints: int | None = None  # rows of the constraint solver in any one: 4 a contact with friction, 1 a limit


ANY_ROOM = Room()


class Physics(ABC):
    """B simulations on one device. State tensors are live views: write them in place, never rebind them."""

    in_place = True  # its tensors stay where they are
    at_hand = False  # whether values may be looked at during a step without waiting for a device
    engine: str
    model: mujoco.MjModel  # the compiled model, for names, defaults and rendering; never changed
    num_envs: int
    device: torch.device
    dtype: torch.dtype  # of physics: float64 on mujoco.batch, float32 on a GPU
    frame_skip: int  # physics substeps in one env step
    dt: float  # seconds an env step lasts
    qpos: Tensor  # [B, nq]
    qvel: Tensor  # [B, nv]
    ctrl: Tensor  # [B, nu]

    @abstractmethod
    def data(self, name: str) -> Tensor:
        """A derived field (xpos, cvel, ...) as a live read-only view [B, ...]; ask for it before the first step."""

    @abstractmethod
    def field(self, name: str) -> Tensor:
        """A model field with a value for each simulation, as a live view [B, ...]. Call `refresh` after writing."""

    def default(self, name: str) -> Tensor:
        """A copy of the compiled model's value of a field, to scale from (scaling the current value compounds)."""
        if name not in self._defaults:
            owner = self.model.opt if name.startswith("opt.") else self.model
            value = np.array(getattr(owner, name.removeprefix("opt.")))
            self._defaults[name] = torch.as_tensor(value, device=self.device)
        return self._defaults[name].clone()

    @cached_property
    def _defaults(self) -> dict[str, Tensor]:
        """Kept, for a copy from the host would have to wait."""
        return {}

    @abstractmethod
    def refresh(self, mask: Tensor) -> None:
        """Recompute what MuJoCo derives from masses, inertias, gears, lengths (mj_setConst) where the mask is set."""

    @abstractmethod
    def reset(self, mask: Tensor, qpos: Tensor, qvel: Tensor) -> None:
        """Put the masked simulations into these states (rows of [B, nq] and [B, nv]), warm start and time cleared."""

    @abstractmethod
    def step(self, active: Tensor) -> Tensor | None:
        """`frame_skip` substeps where active; bool [B], the simulations that diverged (and were set to qpos0).

        None where it is known without waiting for the device that none did.
        """

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """On a GPU: `work`, which steps or resets these simulations, as a graph; what replays it."""
        raise NotImplementedError(f"the engine {self.engine!r} runs on no GPU")

    def overflowed(self) -> Tensor | None:
        """bool [B]: whose contacts or constraints did not fit in the last step; None where none are ever dropped."""
        return None

    def trouble(self) -> str | None:
        """What was dropped since this was last asked, and the cure; None where nothing was. Waits for the device."""
        return None

    @abstractmethod
    def single(self, index: int) -> tuple[mujoco.MjModel, mujoco.MjData]:
        """One simulation as a plain model and data, to render or inspect."""

    def close(self) -> None:  # noqa: B027 - most engines hold nothing
        """Release threads and device memory."""
