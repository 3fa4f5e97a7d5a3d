"""Control of MuJoCo's internal timers.

MuJoCo reads its clock about thirty times per substep, an eighth of the time of a small robot's step. The readings fill
`MjData.timer`, which only profilers use. Stopped timers always read the same time; states do not depend on them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import mujoco

# A C function without arguments that returns a constant, so that threads call it without the Python interpreter.
_CONSTANT_CLOCK = ctypes.CFUNCTYPE(ctypes.c_double)(("PyFloat_GetMin", ctypes.pythonapi))


def stop() -> None:
    """Stop the timers of this process, unless a custom clock was set by `mujoco.set_mjcb_time`."""
    if mujoco.get_mjcb_time() is None:
        mujoco.set_mjcb_time(_CONSTANT_CLOCK)


@contextmanager
def running() -> Iterator[None]:
    """Run the timers within this context, as in programs without metarl; for fair speed comparisons."""
    before = mujoco.get_mjcb_time()
    mujoco.set_mjcb_time(None)
    try:
        yield
    finally:
        mujoco.set_mjcb_time(before)
