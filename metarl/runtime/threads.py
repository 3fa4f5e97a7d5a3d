"""How many CPU threads physics and networks use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_threads: int | None = None


def available() -> int:
    """Cores this process may run on; its part of them where torchrun started others beside it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))


@contextmanager
def using(count: int | None) -> Iterator[None]:
    """Use this many threads (all cores when None), for simulations made within and for networks."""
    global _threads
    before = _threads, torch.get_num_threads()
    _threads = count or available()
    torch.set_num_threads(_threads)
    try:
        yield
    finally:
        _threads = before[0]
        torch.set_num_threads(before[1])


def physics_threads() -> int:
    """Threads of a new simulation."""
    return _threads or available()


@contextmanager
def acting() -> Iterator[None]:
    """Networks on one thread: a rollout's tensors are too small to share out, and torch's idle threads spin for a while
    after each operation, which takes the cores from the physics (measured on 2 cores: 55 us an env step, 38 us so)."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
