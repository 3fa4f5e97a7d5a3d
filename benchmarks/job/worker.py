"""The process that runs jobs: it reads a job as a line of JSON, and writes a line of JSON when the job is done.

It ends when its standard input is closed.

python -m metarl.benchmarks.job.worker FOLDER DEVICE
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from dataclasses import asdict

from metarl.benchmarks.job.benchmark_folder import BenchmarkFolder, RunKey
from metarl.benchmarks.job.job import Job, run_job
from metarl.training.train import Interrupted


def to_line(job: Job) -> str:
    """Return a job as a line of JSON."""
    return json.dumps(asdict(job)) + "\n"


def from_line(line: str) -> Job:
    """Return the job that `to_line` wrote."""
    data = json.loads(line)
    return Job(**{**data, "run_keys": tuple(RunKey(**run_key) for run_key in data["run_keys"])})


def _read_lines() -> queue.Queue[str]:
    """Read standard input in a thread; returns the queue of its lines.

    When the scheduling process ends, its end of the pipe closes, and this process exits at once. Checkpoints hold
    everything that the next call needs.
    """
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return lines


def _main(path: str, device: str) -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what an agent prints goes to the log
    lines, folder = _read_lines(), BenchmarkFolder.open(path)
    while True:
        job = from_line(lines.get())
        try:
            answers.write(json.dumps({"failures": run_job(folder, job, device)}) + "\n")
        except Interrupted:
            answers.write(json.dumps({"interrupted": True}) + "\n")


if __name__ == "__main__":
    _main(*sys.argv[1:])
