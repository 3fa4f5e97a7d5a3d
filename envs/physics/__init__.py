"""Batched MuJoCo behind one contract: `make_physics` picks the engine for a device."""

from __future__ import annotations

import mujoco
import torch

from metarl.envs.physics.contract import ANY_ROOM, Physics, Room
from metarl.errors import MetarlError, unknown

ENGINES = {"mujoco": ("cpu",), "warp": ("cuda", "cpu")}  # engine -> the devices it runs on
INSTALL = "pip install 'metarl[gpu]'"

__all__ = ["ANY_ROOM", "ENGINES", "INSTALL", "Physics", "Room", "default_engine", "make_physics"]


def default_engine(device: str) -> str:
    """The engine of a kind of device."""
    return "mujoco" if device == "cpu" else "warp"


def make_physics(
    model: mujoco.MjModel,
    num_envs: int,
    frame_skip: int,
    device: torch.device,
    engine: str | None = None,
    derived: tuple[str, ...] = (),
    room: Room = ANY_ROOM,
) -> Physics:
    """Physics of `num_envs` simulations on `device`; `derived` names the MjData fields that will be read."""
    engine = engine or default_engine(device.type)
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if device.type not in ENGINES[engine]:
        raise MetarlError(
            f"the engine {engine!r} runs robots on {' or '.join(ENGINES[engine])}, not on {device}: use device='cpu', "
            "or device='cuda' without naming an engine"
        )
    if engine == "mujoco":
        from metarl.envs.physics.cpu import CpuPhysics

        return CpuPhysics(model, num_envs, frame_skip, derived)
    try:
        from metarl.envs.physics.warp import WarpPhysics
    except ImportError as error:
        raise MetarlError(f"robots on cuda, and on the engine 'warp', need MuJoCo Warp: {INSTALL}") from error
    return WarpPhysics(model, num_envs, frame_skip, device, derived, room)
