"""Freed memory stays with the process: batches of boards and trials are made and freed at every step.

glibc gives large blocks back to the system and gets others, whose pages the system must clear and map anew: half of an
arcade game's time (Breakout, 2048 boards on one core: 0.29 million env steps a second, 0.55 without).
"""

from __future__ import annotations

import ctypes
import functools
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # mallopt's names for them, in malloc.h
MOST_KEPT = 256 * 2**20  # bytes at the top of the heap; what is free beyond them goes back
LARGEST = 32 * 2**20  # bytes of a block that is kept at all, the most that glibc allows


@functools.cache
def keep() -> None:
    """For the whole process, once; nothing where the C library is not glibc."""
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # musl
        return
    mallopt(MMAP_THRESHOLD, LARGEST)
    mallopt(TRIM_THRESHOLD, MOST_KEPT)
