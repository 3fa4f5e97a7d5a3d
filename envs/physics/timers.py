"""MuJoCo's stopwatch, which is read some thirty times in each substep: an eighth of the time of a small robot's step.

It fills `MjData.timer`, which only profilers read. Stopped, it shows the same time always; states do not depend on it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import mujoco

# A C function of no arguments that returns a constant: threads call it without Python.
_STILL = ctypes.CFUNCTYPE(ctypes.c_double)(("PyFloat_GetMin", ctypes.pythonapi))


def stop() -> None:
    """For the whole process, unless a clock of one's own was set by `mujoco.set_mjcb_time`."""
    if mujoco.get_mjcb_time() is None:
        mujoco.set_mjcb_time(_STILL)


@contextmanager
def running() -> Iterator[None]:
    """Within, MuJoCo reads its clock as it does in programs without metarl; for fair comparisons."""
    before = mujoco.get_mjcb_time()
    mujoco.set_mjcb_time(None)
    try:
        yield
    finally:
        mujoco.set_mjcb_time(before)
