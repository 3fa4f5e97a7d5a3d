"""A unit of work: train one method with one seed on one distribution, then let it and whoever lives from it live."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from metarl import registry
from metarl.benchmarks.job import scratch
from metarl.benchmarks.job.evaluate import live, training_settings
from metarl.benchmarks.job.folder import FAILED, Folder, RunKey
from metarl.benchmarks.suites.scratch import SCRATCH
from metarl.benchmarks.suites.suite import SuiteEntry
from metarl.runtime import threads
from metarl.runtime.machine import describe
from metarl.runtime.peak_memory import forget_peak, peak
from metarl.training import eval_file, train
from metarl.training.evaluate import EvalResult
from metarl.training.options import TrainOptions
from metarl.training.run_dir import EVAL, TIMES, Run, read_table
from metarl.training.train import Interrupted

CHECKPOINTS = 10  # of a training, so that a kill costs a tenth of it at most


@dataclass(frozen=True)
class Job:
    """The cells that one training serves; an method with nothing to learn is a unit of its own."""

    entry: str
    owner: str
    seed: int
    run_keys: tuple[RunKey, ...]
    steps: int  # env steps of training; 0 if there is none


def jobs(folder: Folder) -> Iterator[Job]:
    """What is left to do, in the order of the plan."""
    left: dict[tuple[str, str, int], list[RunKey]] = {}
    for run_key in folder.run_keys():
        if not folder.finished(run_key):
            left.setdefault((run_key.entry, folder.methods[run_key.method].owner, run_key.seed), []).append(run_key)
    for (label, owner, seed), run_keys in left.items():
        method, entry = folder.methods[owner], folder.suite.entry(label)
        yield Job(label, owner, seed, tuple(run_keys), entry.budget(method) if method.trains else 0)


def work(folder: Folder, job: Job, device: str) -> dict[str, str]:
    """Do it on one thread; {run_key: why it failed} of those that did. What fails is noted in its own cells only."""
    entry, owner = folder.suite.entry(job.entry), folder.methods[job.owner]
    failures: dict[str, str] = {}
    forget_peak()
    with threads.using(1):
        try:
            if owner.scratch:
                _learn_alone(folder, job.run_keys[0], entry)
                return failures
            run = _train(folder, job, entry, device) if owner.trains else None
        except Interrupted:
            raise
        except Exception as error:  # a stranger's agent may raise anything
            for run_key in job.run_keys:
                failures[str(run_key)] = _note(folder, run_key, error)
            return failures
        for run_key in job.run_keys:
            try:
                _live(folder, run_key, entry, run)
            except Exception as error:
                failures[str(run_key)] = _note(folder, run_key, error)
    return failures


def _train(folder: Folder, job: Job, entry: SuiteEntry, device: str) -> Run:
    method = folder.methods[job.owner]
    path = folder.run_dir(RunKey(job.entry, job.owner, job.seed))
    options = TrainOptions(
        steps=job.steps, seed=job.seed, run_dir=str(path), resume=True, device=device, threads=1,
        checkpoint_every=max(1, job.steps // CHECKPOINTS), evaluate_every=0,
    )  # fmt: skip
    sources = {"agent": registry.source(method.agent), "distribution": registry.source(entry.name)}
    return train.train(method.kind, entry.distribution, training_settings(method, entry), options, sources)


def _live(folder: Folder, run_key: RunKey, entry: SuiteEntry, run: Run | None) -> None:
    method = folder.methods[run_key.method]
    began = time.perf_counter()
    with torch.random.fork_rng():  # a stranger's agent may use the global generator
        torch.manual_seed(run_key.seed)
        lives = {
            eval_set: live(method, entry, eval_set, folder.tasks(entry, eval_set), run)
            for eval_set in entry.eval_sets_of(method)
        }  # fmt: skip
    seconds = round(time.perf_counter() - began, 2)
    _write(folder, run_key, entry, lives, {"training": _training(run), "seconds": seconds})


def _learn_alone(folder: Folder, run_key: RunKey, entry: SuiteEntry) -> None:
    """Single tasks, from nothing: training and evaluation are one."""
    method = folder.methods[run_key.method]
    with torch.random.fork_rng():
        found = scratch.learn(method, entry, folder.tasks(entry, SCRATCH), run_key.seed, folder.run_dir(run_key))
    training = {
        "env_steps": found.env_steps[-1] * len(found.lives.tasks), "seconds": found.seconds, "device": "cpu",
        "settings": dict(method.settings), "marks": found.env_steps,
    }  # fmt: skip
    _write(folder, run_key, entry, {SCRATCH: found.lives}, {"training": training, "seconds": 0.0})


def _write(
    folder: Folder, run_key: RunKey, entry: SuiteEntry, lives: Mapping[str, EvalResult], more: Mapping[str, Any]
) -> None:
    """The cell's file, which finishes it."""
    at, method = folder.at(run_key), folder.methods[run_key.method]
    at.mkdir(parents=True, exist_ok=True)
    meta = {
        "suite": folder.suite.name, "distribution": run_key.entry, "method": run_key.method, "seed": run_key.seed,
        "owner": method.owner, "trained": method.trains, "deterministic": method.deterministic,
        "fingerprint": dict(entry.distribution.simulated_world.fingerprint()), "peak_memory": peak(),
        "diverged": {eval_set: lived.diverged for eval_set, lived in lives.items()}, "machine": describe(), **more,
    }  # fmt: skip
    eval_file.write(at / EVAL, {eval_set: {run_key.method: lived} for eval_set, lived in lives.items()}, meta)
    (at / FAILED).unlink(missing_ok=True)


def _training(run: Run | None) -> dict[str, Any] | None:
    if run is None:
        return None
    times = read_table(run.path / TIMES)
    config = run.config
    return {
        "env_steps": int(times["env_steps"][-1]), "seconds": times["seconds"][-1], "device": config["device"],
        "settings": config["agent"]["settings"],
    }  # fmt: skip


def _note(folder: Folder, run_key: RunKey, error: Exception) -> str:
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    folder.fail(run_key, reason, traceback.format_exc())
    return reason
