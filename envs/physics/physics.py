"""The physics interface: B simulations of one compiled model, with state and model fields as torch views (contract 4).

Robots, goals and perturbations use only this class, so they run on every engine.
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


class BufferSizes(NamedTuple):
    """Capacities of an engine with buffers of fixed size; None selects the engine's default."""

    contacts: int | None = None  # contacts per simulation, averaged over the batch
    constraints: int | None = None  # constraint rows of any one simulation: 4 per frictional contact, 1 per limit


DEFAULT_SIZES = BufferSizes()


class Physics(ABC):
    """B simulations on one device. State tensors are views: write to them in place and never rebind them."""

    in_place = True  # its tensors keep their addresses
    host_readable = False  # whether tensor values can be read during a step without synchronising a device
    may_overflow = False  # whether contacts or constraints may exceed a buffer and be dropped
    engine: str
    model: mujoco.MjModel  # the compiled model, for names, defaults and rendering; never modified
    num_envs: int
    device: torch.device
    dtype: torch.dtype  # of the state: float64 for mujoco.batch, float32 for MuJoCo Warp
    frame_skip: int  # physics substeps per env step
    dt: float  # duration of an env step, s
    qpos0: Tensor  # [nq], the initial positions of the model
    qpos: Tensor  # [B, nq]
    qvel: Tensor  # [B, nv]
    ctrl: Tensor  # [B, nu]

    @abstractmethod
    def data(self, name: str) -> Tensor:
        """Return a derived MjData field (xpos, cvel, ...) as a read-only view [B, ...].

        The field must be one of those named when the physics was constructed.
        """

    @abstractmethod
    def field(self, name: str) -> Tensor:
        """Return a model field with one value per simulation, as a writable view [B, ...].

        Call it before the first step. Call `refresh` after writing to a field from which MuJoCo derives constants.
        """

    def default(self, name: str) -> Tensor:
        """Return a copy of the compiled model's value of a field.

        Scale this value, not the current one: repeated scaling of the current value compounds.
        """
        if name not in self._defaults:
            owner = self.model.opt if name.startswith("opt.") else self.model
            value = np.array(getattr(owner, name.removeprefix("opt.")))
            self._defaults[name] = torch.as_tensor(value, device=self.device)
        return self._defaults[name].clone()

    @cached_property
    def _defaults(self) -> dict[str, Tensor]:
        """Defaults on the device, cached because each copy from the host would synchronise."""
        return {}

    @abstractmethod
    def refresh(self, mask: Tensor) -> None:
        """Recompute the constants that mj_setConst derives from masses, inertias, gears and lengths.

        mask: bool [B], the simulations to update.
        """

    @abstractmethod
    def reset(self, mask: Tensor, qpos: Tensor, qvel: Tensor) -> None:
        """Set the state of the masked simulations, and clear their warm start and time.

        mask: bool [B]; qpos: [B, nq]; qvel: [B, nv].
        """

    @abstractmethod
    def step(self, active: Tensor) -> Tensor | None:
        """Advance the active simulations by `frame_skip` substeps.

        active: bool [B]. Returns bool [B], the simulations that diverged and were reset to qpos0; None if it is known
        without synchronising the device that no simulation diverged.
        """

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Capture `work`, which steps or resets these simulations, as a CUDA graph and return its replay function."""
        raise NotImplementedError(f"the engine {self.engine!r} does not run on a GPU")

    def overflowed(self) -> Tensor:
        """Return bool [B], the simulations whose contacts or constraints exceeded a buffer in the last step."""
        raise NotImplementedError(f"the engine {self.engine!r} drops no contacts: check may_overflow first")

    def overflow_warning(self) -> str | None:
        """Return a warning about contacts or constraints dropped since the last call, with the cure, or None.

        Synchronises the device.
        """
        return None

    @abstractmethod
    def single(self, index: int) -> tuple[mujoco.MjModel, mujoco.MjData]:
        """Return one simulation as an MjModel and MjData, for rendering or inspection."""

    def close(self) -> None:  # noqa: B027 - most engines hold no resources
        """Release threads and device memory."""
