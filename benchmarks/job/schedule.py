"""The schedule of a benchmark: jobs are run by worker processes of one thread each, one for each core or GPU.

After an interruption or a kill, the next call skips finished run keys and resumes trainings from their checkpoints.
"""

from __future__ import annotations

import fcntl
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch

from metarl.benchmarks.job.benchmark_folder import BenchmarkFolder
from metarl.benchmarks.job.job import Job, jobs
from metarl.benchmarks.job.worker import to_line
from metarl.errors import MetarlError
from metarl.runtime import devices, threads
from metarl.training.train import Interrupted

LOCK_WAIT_S = 10.0  # for workers of a schedule that was just killed to exit
SINGLE = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclass
class Schedule:
    """The state of a benchmark that is being run, shared by the threads that each serve one worker process."""

    folder: BenchmarkFolder
    device: str
    log: Callable[[str], None]
    lock: int  # file descriptor of the folder's lock
    pending: queue.SimpleQueue[Job] = field(default_factory=queue.SimpleQueue)
    total: int = 0
    done: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    stopped: bool = False
    error: BaseException | None = None
    mutex: threading.Lock = field(default_factory=threading.Lock)
    start: float = field(default_factory=time.perf_counter)
    steps_total: int = 0
    steps_done: int = 0

    def finish(self, job: Job, failures: dict[str, str]) -> None:
        """Count a finished job, and log it with its failures and the time left."""
        with self.mutex:
            self.done += 1
            self.steps_done += job.steps
            self.failures |= failures
            spent = time.perf_counter() - self.start
            fraction = self.steps_done / self.steps_total if self.steps_total else self.done / self.total
            left = f", about {max(0.0, spent / fraction - spent) / 60:.1f} min left" if 0 < fraction < 1 else ""
            self.log(f"{self.done} of {self.total}: {job.owner} on {job.entry}, seed {job.seed}{left}")
            for run_key, reason in failures.items():
                self.log(f"  failed: {run_key}: {reason}")


def run_jobs(folder: BenchmarkFolder, device: str, processes: int | None, log: Callable[[str], None]) -> dict[str, str]:
    """Run all jobs that are not finished; returns {run key: reason} of the run keys that failed.

    Raises Interrupted after Ctrl-C.
    """
    entries = [entry.distribution for entry in folder.suite.entries]
    if line := devices.explain(device, *entries):
        log(line)
    device = devices.pick_device(device, *entries)
    with _locked(folder.path) as lock:
        schedule = Schedule(folder, device, log, lock)
        todo = sorted(jobs(folder), key=_priority)
        for job in todo:
            schedule.pending.put(job)
        schedule.total, schedule.steps_total = len(todo), sum(job.steps for job in todo)
        count = min(len(todo), processes or (torch.cuda.device_count() if device == "cuda" else threads.available()))
        workers = [threading.Thread(target=_serve, args=(schedule, i)) for i in range(count)]
        for worker in workers:
            worker.start()
        _wait(schedule, workers)
    if schedule.error is not None:
        raise schedule.error
    if schedule.stopped:
        raise Interrupted(f"stopped; finished results are kept in {folder.path}: the same command continues")
    return schedule.failures


def _priority(job: Job) -> tuple[bool, int, int]:
    """Return the sort key of a job.

    Evaluations, which take seconds, come before trainings. Long trainings come before short ones, so that all end at
    about the same time. Among equal ones, the same seed of every method comes first, so that methods can be compared
    soon.
    """
    return job.steps > 0, -job.steps, job.seed


def _wait(schedule: Schedule, workers: list[threading.Thread]) -> None:
    """Wait until all threads end. Ctrl-C also reaches the worker processes, which stop after the present update."""
    while any(worker.is_alive() for worker in workers):
        try:
            for worker in workers:
                worker.join(0.5)
        except KeyboardInterrupt:
            if schedule.stopped:
                raise
            schedule.stopped = True
            schedule.log("stopping: every process saves its training (Ctrl-C again to stop at once)")


def _serve(schedule: Schedule, index: int) -> None:
    """Send jobs to one worker process until none is left. A process that dies fails its job and is replaced."""
    process: subprocess.Popen[str] | None = None
    try:
        while not schedule.stopped and schedule.error is None:
            try:
                job = schedule.pending.get_nowait()
            except queue.Empty:
                return
            process = process or _start(schedule, index)
            answer = _send(process, job)
            if answer is None:
                code, process = _end(process), None
                if schedule.stopped:
                    return
                for run_key in job.run_keys:
                    schedule.folder.fail(
                        run_key, f"its process ended with status {code}", _log_file(schedule, index).read_text()[-4000:]
                    )
                answer = {
                    "failures": {str(run_key): f"its process ended with status {code}" for run_key in job.run_keys}
                }
            if "interrupted" in answer:
                schedule.stopped = True
                return
            schedule.finish(job, answer["failures"])
    except BaseException as error:  # `run_jobs` raises it in the main thread
        schedule.error = error
    finally:
        if process is not None:
            _end(process)


def _start(schedule: Schedule, index: int) -> subprocess.Popen[str]:
    """Start a worker process."""
    command = [sys.executable, "-m", "metarl.benchmarks.job.worker", str(schedule.folder.path), schedule.device]
    environment = os.environ | SINGLE | ({"CUDA_VISIBLE_DEVICES": str(index)} if schedule.device == "cuda" else {})
    with _log_file(schedule, index).open("a") as log:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment,
            pass_fds=(schedule.lock,),
        )  # fmt: skip


def _send(process: subprocess.Popen[str], job: Job) -> dict | None:
    """Send a job and wait for the process's answer; None where the process died."""
    try:
        process.stdin.write(to_line(job))  # pyright: ignore[reportOptionalMemberAccess]
        process.stdin.flush()  # pyright: ignore[reportOptionalMemberAccess]
        line = process.stdout.readline()  # pyright: ignore[reportOptionalMemberAccess]
    except BrokenPipeError:
        return None
    return json.loads(line) if line.endswith("\n") else None


def _end(process: subprocess.Popen[str]) -> int:
    """Close the process's pipes, which ends it; returns its exit status."""
    for pipe in (process.stdin, process.stdout):
        with suppress(BrokenPipeError):
            pipe.close()  # pyright: ignore[reportOptionalMemberAccess]
    return process.wait()


def _log_file(schedule: Schedule, index: int) -> Path:
    """Return the path of a worker's log."""
    return schedule.folder.path / f"worker-{index}.log"


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Lock a folder, so that it has one schedule at a time.

    Worker processes inherit the lock: it is free only when all of them have exited. Raises MetarlError where it stays
    locked for LOCK_WAIT_S seconds.
    """
    file = os.open(path / ".lock", os.O_CREAT | os.O_RDWR)
    try:
        end = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise MetarlError(
                        f"another benchmark is running in {path}: wait for it, or give another --out"
                    ) from None
                time.sleep(0.2)
        yield file
    finally:
        os.close(file)
