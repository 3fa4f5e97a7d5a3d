"""The machine that a measurement runs on: its processor, cores, load and package versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from metarl.runtime import threads

PACKAGES = ("metarl-suite", "mujoco", "torch", "gymnasium", "numpy", "stable-baselines3", "sb3-contrib", "envpool")


def describe() -> dict[str, Any]:
    """Return processor, cores, load, system and versions as JSON data."""
    return {
        "cpu": _cpu_model(),
        "cores": threads.available(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,  # runnable threads, last minute
        "system": platform.platform(),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
    }


@contextmanager
def limited_to(count: int, first: int = 0) -> Iterator[None]:
    """Limit this process, and processes that it starts within, to `count` threads and to the cores from `first` on.

    Cores are limited where the system allows it. Otherwise a program that starts a process for each environment would
    use more cores than the others.
    """
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else None
    with threads.using(count):
        try:
            if cores is not None:
                os.sched_setaffinity(0, sorted(cores)[first : first + count])
            yield
        finally:
            if cores is not None:
                os.sched_setaffinity(0, cores)


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
