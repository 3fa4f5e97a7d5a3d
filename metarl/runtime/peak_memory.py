"""Peak resident memory of this process."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def peak() -> int:
    """Return the peak resident memory of this process in bytes.

    On Linux it reads VmHWM: a new process inherits `getrusage`'s ru_maxrss from the process that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def forget_peak() -> None:
    """Reset the peak, on systems that can (Linux)."""
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        with suppress(OSError):  # some containers forbid it: the peak is then that of the whole process
            reset.write_text("5")
