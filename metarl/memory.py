"""How much memory a device has left."""

from __future__ import annotations

import os
from pathlib import Path

import torch

GIB = 2**30
CGROUP = Path("/sys/fs/cgroup")


def free(device: str) -> int | None:
    """Bytes that this process may still take on `device`, its part where others run beside it; None if unknown."""
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
