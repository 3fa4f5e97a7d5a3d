"""A process that works off units, one after another: a line of JSON in, a line out. It ends when its owner does.

python -m metarl.benchmarks.job.worker FOLDER DEVICE
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from dataclasses import asdict

from metarl.benchmarks.job.folder import Folder, RunKey
from metarl.benchmarks.job.job import Job, work
from metarl.training.train import Interrupted


def to_line(job: Job) -> str:
    """A unit as a line of text."""
    return json.dumps(asdict(job)) + "\n"


def from_line(line: str) -> Job:
    data = json.loads(line)
    return Job(**{**data, "run_keys": tuple(RunKey(**run_key) for run_key in data["run_keys"])})


def _lines() -> queue.Queue[str]:
    """Standard input, read by a thread: when its other end is gone, so is the owner, and this process ends at once.
    All that is worth keeping is in checkpoints."""
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
    lines, folder = _lines(), Folder.open(path)
    while True:
        job = from_line(lines.get())
        try:
            answers.write(json.dumps({"failures": work(folder, job, device)}) + "\n")
        except Interrupted:
            answers.write(json.dumps({"interrupted": True}) + "\n")


if __name__ == "__main__":
    _main(*sys.argv[1:])
