"""The whole job: units shared out to processes of one thread each, one for a core or for a GPU; nothing is done twice.

Killed at any moment and started again, it goes on: finished cells are left alone, trainings continue from their
checkpoints.
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

from metarl.benchmarks.job.folder import Folder
from metarl.benchmarks.job.job import Job, jobs
from metarl.benchmarks.job.worker import to_line
from metarl.errors import MetarlError
from metarl.runtime import devices, threads
from metarl.training.train import Interrupted

LOCK_WAIT_S = 10.0  # for the processes of a schedule that was killed a moment ago to notice
SINGLE = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclass
class Schedule:
    """Work in progress, shared by one thread for each process."""

    folder: Folder
    device: str
    say: Callable[[str], None]
    lock: int  # file descriptor
    left: queue.SimpleQueue[Job] = field(default_factory=queue.SimpleQueue)
    total: int = 0
    done: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    stopped: bool = False
    fault: BaseException | None = None
    guard: threading.Lock = field(default_factory=threading.Lock)
    began: float = field(default_factory=time.perf_counter)
    steps_total: int = 0
    steps_done: int = 0

    def tell(self, job: Job, failures: dict[str, str]) -> None:
        """Note what became of a job, and say so."""
        with self.guard:
            self.done += 1
            self.steps_done += job.steps
            self.failures |= failures
            spent = time.perf_counter() - self.began
            share = self.steps_done / self.steps_total if self.steps_total else self.done / self.total
            left = f", about {max(0.0, spent / share - spent) / 60:.1f} min left" if 0 < share < 1 else ""
            self.say(f"{self.done} of {self.total}: {job.owner} on {job.entry}, seed {job.seed}{left}")
            for run_key, reason in failures.items():
                self.say(f"  failed: {run_key}: {reason}")


def carry_out(folder: Folder, device: str, processes: int | None, say: Callable[[str], None]) -> dict[str, str]:
    """Do all that is left to do; {run_key: why it failed}. Interrupted where the user asked to stop."""
    entries = [entry.distribution for entry in folder.suite.entries]
    if line := devices.said(device, *entries):
        say(line)
    device = devices.pick_device(device, *entries)
    with _locked(folder.path) as lock:
        schedule = Schedule(folder, device, say, lock)
        todo = sorted(jobs(folder), key=_urgency)
        for job in todo:
            schedule.left.put(job)
        schedule.total, schedule.steps_total = len(todo), sum(job.steps for job in todo)
        count = min(len(todo), processes or (torch.cuda.device_count() if device == "cuda" else threads.available()))
        workers = [threading.Thread(target=_serve, args=(schedule, i)) for i in range(count)]
        for worker in workers:
            worker.start()
        _wait(schedule, workers)
    if schedule.fault is not None:
        raise schedule.fault
    if schedule.stopped:
        raise Interrupted(f"stopped; what is finished is kept in {folder.path}: the same command goes on")
    return schedule.failures


def _urgency(job: Job) -> tuple[bool, int, int]:
    """Seconds of work before trainings, long trainings before short ones, so that they end together; of equal ones one
    seed of everybody before the next, so that there is something to compare soon."""
    return job.steps > 0, -job.steps, job.seed


def _wait(schedule: Schedule, workers: list[threading.Thread]) -> None:
    """Until all have ended; Ctrl-C reaches the processes as well, which finish the update they are at."""
    while any(worker.is_alive() for worker in workers):
        try:
            for worker in workers:
                worker.join(0.5)
        except KeyboardInterrupt:
            if schedule.stopped:
                raise
            schedule.stopped = True
            schedule.say("stopping: every process saves what it has (once more to stop at once)")


def _serve(schedule: Schedule, index: int) -> None:
    """Feed one process until nothing is left; a process that dies fails its job and is followed by another."""
    process: subprocess.Popen[str] | None = None
    try:
        while not schedule.stopped and schedule.fault is None:
            try:
                job = schedule.left.get_nowait()
            except queue.Empty:
                return
            process = process or _start(schedule, index)
            answer = _ask(process, job)
            if answer is None:
                code, process = _end(process), None
                if schedule.stopped:
                    return
                for run_key in job.run_keys:
                    schedule.folder.fail(
                        run_key, f"its process ended with status {code}", _log(schedule, index).read_text()[-4000:]
                    )
                answer = {
                    "failures": {str(run_key): f"its process ended with status {code}" for run_key in job.run_keys}
                }
            if "interrupted" in answer:
                schedule.stopped = True
                return
            schedule.tell(job, answer["failures"])
    except BaseException as error:  # to be raised where the user is
        schedule.fault = error
    finally:
        if process is not None:
            _end(process)


def _start(schedule: Schedule, index: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "metarl.benchmarks.job.worker", str(schedule.folder.path), schedule.device]
    environment = os.environ | SINGLE | ({"CUDA_VISIBLE_DEVICES": str(index)} if schedule.device == "cuda" else {})
    with _log(schedule, index).open("a") as log:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment,
            pass_fds=(schedule.lock,),
        )  # fmt: skip


def _ask(process: subprocess.Popen[str], job: Job) -> dict | None:
    """The process's answer; None where it died."""
    try:
        process.stdin.write(to_line(job))  # pyright: ignore[reportOptionalMemberAccess]
        process.stdin.flush()  # pyright: ignore[reportOptionalMemberAccess]
        line = process.stdout.readline()  # pyright: ignore[reportOptionalMemberAccess]
    except BrokenPipeError:
        return None
    return json.loads(line) if line.endswith("\n") else None


def _end(process: subprocess.Popen[str]) -> int:
    """Close its input, which ends it; its exit status."""
    for pipe in (process.stdin, process.stdout):
        with suppress(BrokenPipeError):
            pipe.close()  # pyright: ignore[reportOptionalMemberAccess]
    return process.wait()


def _log(schedule: Schedule, index: int) -> Path:
    return schedule.folder.path / f"worker-{index}.log"


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """One schedule at a time in a folder. Its processes hold the lock too, so it is free only when all of them are gone."""
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
                        f"another schedule is at work in {path}: wait for it, or give another --out"
                    ) from None
                time.sleep(0.2)
        yield file
    finally:
        os.close(file)
