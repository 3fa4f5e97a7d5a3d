"""Jobs: train a method with one seed on one entry, then evaluate it and the methods that use its weights."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from metarl import registry
from metarl.benchmarks.job import learn_from_scratch
from metarl.benchmarks.job.benchmark_folder import FAILED, BenchmarkFolder, RunKey
from metarl.benchmarks.job.evaluate import evaluate_method, training_settings
from metarl.benchmarks.suites.scratch_settings import SCRATCH
from metarl.benchmarks.suites.suite import SuiteEntry
from metarl.runtime import threads
from metarl.runtime.machine import describe
from metarl.runtime.peak_memory import forget_peak, peak
from metarl.training import eval_file, train
from metarl.training.evaluate import EvalResult
from metarl.training.options import TrainOptions
from metarl.training.run_dir import EVAL, TIMES, Run, read_table
from metarl.training.train import Interrupted

CHECKPOINTS = 10  # in a training: a kill costs at most a tenth of it


@dataclass(frozen=True)
class Job:
    """One training, and the run keys that are evaluated with its weights; a method without training has its own job."""

    entry: str  # label
    owner: str  # name of the method that is trained
    seed: int
    run_keys: tuple[RunKey, ...]
    steps: int  # env steps of training; 0 without training


def jobs(folder: BenchmarkFolder) -> Iterator[Job]:
    """Yield the jobs that are not finished, in the order of the plan."""
    pending: dict[tuple[str, str, int], list[RunKey]] = {}
    for run_key in folder.run_keys():
        if not folder.finished(run_key):
            owner = folder.methods[run_key.method].owner
            pending.setdefault((run_key.entry, owner, run_key.seed), []).append(run_key)
    for (label, owner, seed), run_keys in pending.items():
        method, entry = folder.methods[owner], folder.suite.entry(label)
        yield Job(label, owner, seed, tuple(run_keys), entry.budget(method) if method.trains else 0)


def run_job(folder: BenchmarkFolder, job: Job, device: str) -> dict[str, str]:
    """Run a job on one thread; returns {run key: reason} of the run keys that failed.

    A failed evaluation does not affect the job's other run keys; a failed training fails all of them.
    """
    entry, owner = folder.suite.entry(job.entry), folder.methods[job.owner]
    failures: dict[str, str] = {}
    forget_peak()
    with threads.using(1):
        try:
            if owner.scratch:
                _learn_from_scratch(folder, job.run_keys[0], entry)
                return failures
            run = _train(folder, job, entry, device) if owner.trains else None
        except Interrupted:
            raise
        except Exception as error:  # an external agent may raise any exception
            for run_key in job.run_keys:
                failures[str(run_key)] = _fail(folder, run_key, error)
            return failures
        for run_key in job.run_keys:
            try:
                _evaluate(folder, run_key, entry, run)
            except Exception as error:
                failures[str(run_key)] = _fail(folder, run_key, error)
    return failures


def _train(folder: BenchmarkFolder, job: Job, entry: SuiteEntry, device: str) -> Run:
    method = folder.methods[job.owner]
    path = folder.run_dir(RunKey(job.entry, job.owner, job.seed))
    options = TrainOptions(
        steps=job.steps, seed=job.seed, run_dir=str(path), resume=True, device=device, threads=1,
        checkpoint_every=max(1, job.steps // CHECKPOINTS), evaluate_every=0,
    )  # fmt: skip
    sources = {"agent": registry.source(method.agent), "distribution": registry.source(entry.name)}
    return train.train(method.agent_type, entry.distribution, training_settings(method, entry), options, sources)


def _evaluate(folder: BenchmarkFolder, run_key: RunKey, entry: SuiteEntry, run: Run | None) -> None:
    method = folder.methods[run_key.method]
    start = time.perf_counter()
    with torch.random.fork_rng():  # an external agent may use the global generator
        torch.manual_seed(run_key.seed)
        results = {
            eval_set: evaluate_method(method, entry, eval_set, folder.tasks(entry, eval_set), run)
            for eval_set in entry.eval_sets_of(method)
        }
    seconds = round(time.perf_counter() - start, 2)
    _write(folder, run_key, entry, results, {"training": _training(run), "seconds": seconds})


def _learn_from_scratch(folder: BenchmarkFolder, run_key: RunKey, entry: SuiteEntry) -> None:
    """Learn single tasks; the tests during the training are the evaluation."""
    method = folder.methods[run_key.method]
    with torch.random.fork_rng():
        curves = learn_from_scratch.learn(
            method, entry, folder.tasks(entry, SCRATCH), run_key.seed, folder.run_dir(run_key)
        )
    training = {
        "env_steps": curves.env_steps[-1] * len(curves.result.tasks), "seconds": curves.seconds, "device": "cpu",
        "settings": dict(method.settings), "marks": curves.env_steps,
    }  # fmt: skip
    _write(folder, run_key, entry, {SCRATCH: curves.result}, {"training": training, "seconds": 0.0})


def _write(
    folder: BenchmarkFolder,
    run_key: RunKey,
    entry: SuiteEntry,
    results: Mapping[str, EvalResult],
    more: Mapping[str, Any],
) -> None:
    """Write the eval file of a run key, which makes it finished."""
    path, method = folder.at(run_key), folder.methods[run_key.method]
    path.mkdir(parents=True, exist_ok=True)
    meta = {
        "suite": folder.suite.name, "distribution": run_key.entry, "method": run_key.method, "seed": run_key.seed,
        "owner": method.owner, "trained": method.trains, "deterministic": method.deterministic,
        "fingerprint": dict(entry.distribution.simulated_world.fingerprint()), "peak_memory": peak(),
        "diverged": {eval_set: result.diverged for eval_set, result in results.items()}, "machine": describe(), **more,
    }  # fmt: skip
    eval_file.write(path / EVAL, {eval_set: {run_key.method: result} for eval_set, result in results.items()}, meta)
    (path / FAILED).unlink(missing_ok=True)


def _training(run: Run | None) -> dict[str, Any] | None:
    """Return the cost and the settings of a training, for the eval file."""
    if run is None:
        return None
    times = read_table(run.path / TIMES)
    config = run.config
    return {
        "env_steps": int(times["env_steps"][-1]), "seconds": times["seconds"][-1], "device": config["device"],
        "settings": config["agent"]["settings"],
    }  # fmt: skip


def _fail(folder: BenchmarkFolder, run_key: RunKey, error: Exception) -> str:
    """Write the failure of a run key; returns the reason."""
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    folder.fail(run_key, reason, traceback.format_exc())
    return reason
