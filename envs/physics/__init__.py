"""Batched MuJoCo behind one contract: `make_physics` picks the engine for a device."""

from __future__ import annotations

import mujoco
import torch

from metarl.envs.physics.contract import Physics
from metarl.errors import MetarlError, unknown

ENGINES = {"mujoco": "cpu"}  # engine -> the device type it runs on

__all__ = ["ENGINES", "Physics", "make_physics"]


def make_physics(
    model: mujoco.MjModel,
    num_envs: int,
    frame_skip: int,
    device: torch.device,
    engine: str | None = None,
    derived: tuple[str, ...] = (),
) -> Physics:
    """Physics of `num_envs` simulations on `device`; `derived` names the MjData fields that will be read."""
    if engine is not None and engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if device.type != "cpu":
        raise MetarlError(f"the engine 'mujoco' runs robots on cpu, not on {device}: use device='cpu'")
    from metarl.envs.physics.cpu import CpuPhysics

    return CpuPhysics(model, num_envs, frame_skip, derived)
