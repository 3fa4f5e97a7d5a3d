"""Batched MuJoCo simulation on CPU and GPU behind one interface.

In reading order:

- `physics.py`: `Physics`, the interface that robots, goals and perturbations are written against.
- `cpu.py`: `CpuPhysics`, `mujoco.batch` on CPU threads, float64.
- `timers.py`: a switch for MuJoCo's internal timers, which slow down small models.
- `warp.py`: `WarpPhysics`, MuJoCo Warp on an NVIDIA GPU, float32.
- `warp_model.py`: model fields of MuJoCo Warp with one value per environment.
- `warp_graphs.py`: capture and replay of Warp kernel launches.
- `warp_memory.py`: an estimate of the GPU memory that an environment needs.

`make_physics` below chooses the engine for a device.
"""

from __future__ import annotations

import mujoco
import torch

from metarl.envs.physics.physics import DEFAULT_SIZES, BufferSizes, Physics
from metarl.errors import MetarlError, unknown

ENGINES = {"mujoco": ("cpu",), "warp": ("cuda", "cpu")}  # engine -> devices it supports
INSTALL = "pip install '.[gpu]' in metarl's folder"

__all__ = ["DEFAULT_SIZES", "ENGINES", "INSTALL", "BufferSizes", "Physics", "default_engine", "make_physics"]


def default_engine(device: str) -> str:
    """Return the default engine of a device type: "mujoco" for "cpu", "warp" for "cuda"."""
    return "mujoco" if device == "cpu" else "warp"


def make_physics(
    model: mujoco.MjModel,
    num_envs: int,
    frame_skip: int,
    device: torch.device,
    engine: str | None = None,
    derived: tuple[str, ...] = (),
    buffer_sizes: BufferSizes = DEFAULT_SIZES,
) -> Physics:
    """Return the physics of `num_envs` simulations on `device`.

    engine: "mujoco" or "warp"; None selects the default of the device. derived: names of the MjData fields that
    `Physics.data` will return. buffer_sizes: used by engines with buffers of fixed size.

    Raises MetarlError if the engine is unknown, not installed, or does not support the device.
    """
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
    return WarpPhysics(model, num_envs, frame_skip, device, derived, buffer_sizes)
