"""An estimate of the number of environments that fit into a GPU's memory."""

from __future__ import annotations

import dataclasses

import mujoco
import mujoco_warp as mjw
import torch
import warp as wp

from metarl.envs.physics.physics import BufferSizes
from metarl.errors import MetarlError

SCRATCH = 1.5  # peak memory over the size of the worlds' arrays: temporaries of a step (1.15 on CPU) and torch
GIB = 2**30


def check_memory(model: mujoco.MjModel, num_envs: int, buffer_sizes: BufferSizes, device: torch.device) -> None:
    """Raise MetarlError, which names the largest possible number, if `num_envs` environments do not fit."""
    if device.type == "cpu":
        return
    free, each = wp.device_from_torch(device).free_memory, bytes_per_env(model, buffer_sizes)
    if num_envs * each > free:
        raise MetarlError(
            f"{num_envs} environments need about {num_envs * each / GIB:.1f} GiB on {device}, where "
            f"{free / GIB:.1f} GiB are free: at most {free // each} fit"
        )


def bytes_per_env(model: mujoco.MjModel, buffer_sizes: BufferSizes) -> int:
    """Return an estimate of the memory of one environment, bytes."""
    contacts, constraints = buffer_sizes
    with wp.ScopedDevice("cpu"):
        two, one = (mjw.make_data(model, n, nconmax=contacts, njmax=constraints) for n in (2, 1))
    return int(SCRATCH * (_bytes(two) - _bytes(one)))


def _bytes(data: object) -> int:
    total = 0
    for field in dataclasses.fields(data):  # type: ignore[arg-type]
        value = getattr(data, field.name)
        total += _bytes(value) if dataclasses.is_dataclass(value) else getattr(value, "capacity", 0)
    return total
