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
    """Return the peak resident memory, in bytes, of training on CPU with the settings tuned for the distribution.

    Raises MetarlError where the process fails.
    """
    command = [sys.executable, "-m", "metarl.benchmarks.dev_speed.peak_memory", agent, distribution, str(updates)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise MetarlError(f"measuring memory failed: {done.stderr.strip().splitlines()[-1]}")
    return int(done.stdout.split()[-1])


def _main(agent: str, distribution: str, updates: str) -> None:
    agent_type, tasks = registry.find("agent", agent), registry.find("distribution", distribution)
    learner = agent_type.learner(tasks, agent_type.make_settings(tasks, {}), 0, "cpu")
    for _ in range(int(updates)):
        learner.update()
    print(peak())


if __name__ == "__main__":
    _main(*sys.argv[1:])
