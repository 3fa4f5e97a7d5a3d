"""Settings of glibc's allocator, so that the process keeps released memory.

Batches of boards and trials are allocated and freed at every step. glibc returns large blocks to the system and maps
new ones, whose pages the system must clear: half of an arcade game's time (Breakout, 2048 boards on one core: 0.29
million env steps a second, 0.55 with these settings).
"""

from __future__ import annotations

import ctypes
import functools
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # parameters of mallopt, from malloc.h
MOST_KEPT = 256 * 2**20  # bytes at the top of the heap; free memory beyond them is returned to the system
LARGEST = 32 * 2**20  # bytes of the largest block that is kept, the most that glibc allows


@functools.cache
def keep_freed_memory() -> None:
    """Set the allocator of the whole process, once; does nothing where the C library is not glibc."""
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # musl
        return
    mallopt(MMAP_THRESHOLD, LARGEST)
    mallopt(TRIM_THRESHOLD, MOST_KEPT)
