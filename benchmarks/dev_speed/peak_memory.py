"""Peak memory of training, measured in a process that does nothing else.

python -m metarl.benchmarks.dev_speed.peak_memory AGENT DISTRIBUTION UPDATES
"""

from __future__ import annotations

import os
import subprocess
import sys

from metarl import registry
from metarl.errors import MetarlError
from metarl.runtime.peak_memory import peak


def training_peak(agent: str, distribution: str, updates: int, threads: int) -> int:
    """Bytes of resident memory that training with default settings takes at its peak."""
    command = [sys.executable, "-m", "metarl.benchmarks.dev_speed.peak_memory", agent, distribution, str(updates)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise MetarlError(f"measuring memory failed: {done.stderr.strip().splitlines()[-1]}")
    return int(done.stdout.split()[-1])


def _main(agent: str, distribution: str, updates: str) -> None:
    kind, family = registry.find("agent", agent), registry.find("distribution", distribution)
    learner = kind.learner(family, kind.make_settings(family, {}), 0, "cpu")
    for _ in range(int(updates)):
        learner.update()
    print(peak())


if __name__ == "__main__":
    _main(*sys.argv[1:])
