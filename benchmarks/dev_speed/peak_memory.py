"""Peak memory of training, measured in a process that does nothing else.

python -m metarl.benchmarks.dev_speed.peak_memory AGENT DISTRIBUTION UPDATES
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from metarl import registry
from metarl.errors import MetarlError


def training_peak(agent: str, distribution: str, updates: int, threads: int) -> int:
    """Bytes of resident memory that training with default settings takes at its peak."""
    command = [sys.executable, "-m", "metarl.benchmarks.dev_speed.peak_memory", agent, distribution, str(updates)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise MetarlError(f"measuring memory failed: {done.stderr.strip().splitlines()[-1]}")
    return int(done.stdout.split()[-1])


def peak() -> int:
    """Bytes of resident memory of this process at its peak.

    On Linux not `getrusage`, whose ru_maxrss a new process takes over from the one that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def forget_peak() -> None:
    """Measure the peak anew from here on, where the system can (Linux)."""
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        with suppress(OSError):  # some containers forbid it: the peak then is that of the whole process
            reset.write_text("5")


def _main(agent: str, distribution: str, updates: str) -> None:
    kind, family = registry.find("agent", agent), registry.find("distribution", distribution)
    learner = kind.learner(family, kind.make_settings(family, {}), 0, "cpu")
    for _ in range(int(updates)):
        learner.update()
    print(peak())


if __name__ == "__main__":
    _main(*sys.argv[1:])
