"""The number of CPU threads of physics and networks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_threads: int | None = None


def available() -> int:
    """Return the number of cores that this process may use; its share where it trains with others."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))


@contextmanager
def using(count: int | None) -> Iterator[None]:
    """Within, networks and new simulations use this many threads (all cores when None)."""
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
    """Return the number of threads of a new simulation."""
    return _threads or available()


@contextmanager
def acting() -> Iterator[None]:
    """Within, networks use one thread, for rollouts.

    The tensors of a rollout are too small to split. torch's idle threads spin for a while after each operation, which
    takes the cores from the physics (measured on 2 cores: 55 us an env step, 38 us with one thread).
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
