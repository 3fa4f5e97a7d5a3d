"""How many environments fit into a GPU's memory."""

from __future__ import annotations

import dataclasses

import mujoco
import mujoco_warp as mjw
import torch
import warp as wp

from metarl.envs.physics.contract import Room
from metarl.errors import MetarlError

SCRATCH = 1.5  # of what a world's arrays take, with what a step takes beside them (1.15 on CPU) and torch does
GIB = 2**30


def check_memory(model: mujoco.MjModel, num_envs: int, room: Room, device: torch.device) -> None:
    """MetarlError that says the largest number that fits, where this one does not."""
    if device.type == "cpu":
        return
    free, each = wp.device_from_torch(device).free_memory, bytes_each(model, room)
    if num_envs * each > free:
        raise MetarlError(
            f"{num_envs} environments need about {num_envs * each / GIB:.1f} GiB on {device}, where "
            f"{free / GIB:.1f} GiB are free: at most {free // each} fit"
        )


def bytes_each(model: mujoco.MjModel, room: Room) -> int:
    """Of one environment, an estimate."""
    with wp.ScopedDevice("cpu"):
        two, one = (mjw.make_data(model, n, nconmax=room.contacts, njmax=room.constraints) for n in (2, 1))
    return int(SCRATCH * (_bytes(two) - _bytes(one)))


def _bytes(data: object) -> int:
    total = 0
    for field in dataclasses.fields(data):  # type: ignore[arg-type]
        value = getattr(data, field.name)
        total += _bytes(value) if dataclasses.is_dataclass(value) else getattr(value, "capacity", 0)
    return total
