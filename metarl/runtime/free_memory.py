"""Free memory of a device, and a check that an update fits into it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from metarl.errors import MetarlError

GIB = 2**30
CGROUP = Path("/sys/fs/cgroup")


def free(device: str) -> int | None:
    """Return the bytes that this process may still take on `device`; None if unknown.

    Where several processes share the machine, it is an equal part.
    """
    if device == "cuda":
        unused = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return torch.cuda.mem_get_info()[0] + unused
    known = [size for size in (_available(), _left_in_container()) if size is not None]
    return min(known) // int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if known else None


def _available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")), None)


def _left_in_container() -> int | None:
    """By the limit of a control group (Linux containers), where there is one; cached files make room when asked."""
    try:
        limit, used, parts = ((CGROUP / f"memory.{name}").read_text() for name in ("max", "current", "stat"))
    except OSError:
        return None
    if limit.strip() == "max":
        return None
    cached = next((int(line.split()[1]) for line in parts.splitlines() if line.startswith("inactive_file ")), 0)
    return max(0, int(limit) - int(used) + cached)


def check_fits(what: str, wanted: int, free: int, name: str, size: int, multiple: int, hint: str = "") -> None:
    """Raise MetarlError, with the largest size that fits, where `wanted` bytes are more than `free`.

    name, size: the setting to lower, and its present value, a multiple of `multiple`.
    """
    if wanted <= free:
        return
    most = int(size * free / wanted) // multiple * multiple
    cure = f"{name} {most} is the most that fits" if most else f"not even {name} {multiple} fits"
    raise MetarlError(
        f"{what} takes about {wanted / GIB:.2f} GiB, and {free / GIB:.2f} GiB are free: {cure}"
        + (f"; {hint}" if hint else "")
    )


def bytes_kept_by(loss: Callable[[], tuple[Tensor, Any]], model: nn.Module) -> int:
    """Return the bytes that a loss keeps for its backward pass, the model's weights left out."""
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    found: dict[int, int] = {}

    def pack(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage.nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        kept = loss()
    del kept
    return sum(found.values())
