"""`metarl verify FOLDER`: repeat one evaluation of a benchmark from its checkpoint, and compare the returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from metarl.benchmarks.job.benchmark_folder import BenchmarkFolder, RunKey
from metarl.benchmarks.results.load_results import load_eval
from metarl.checks import check_number, check_whole
from metarl.cli.command import Command
from metarl.errors import MetarlError, unknown
from metarl.training.run_dir import Run


@dataclass(frozen=True)
class VerifyOptions:
    """Repeat the evaluation of one method with one seed, and compare the returns on one task."""

    folder: tyro.conf.Positional[str]
    """folder of `metarl benchmark`"""
    method: str | None = None
    """method to evaluate; by default the first one that is trained"""
    distribution: str | None = None
    """distribution to evaluate on; by default the suite's first"""
    seed: int = 0
    """training seed"""
    task: int = 0
    """index of the task in the scored eval set, from 0"""
    tolerance: float = 0.0
    """largest accepted difference of returns; on the same machine with the same versions it is 0, bit for bit"""

    def __post_init__(self) -> None:
        check_whole(self, "seed", "task", low=0)
        check_number(self, "tolerance", low=0)


def verify(options: VerifyOptions) -> str:
    """Return a line that describes what was compared; MetarlError where returns differ by more than the tolerance."""
    from metarl.benchmarks.job.evaluate import evaluate_method
    from metarl.runtime import threads

    folder = BenchmarkFolder.open(options.folder)
    run_key = _run_key(folder, options)
    if not folder.finished(run_key):
        raise MetarlError(f"{run_key} has not finished: `metarl benchmark` continues it")
    entry = folder.suite.entry(run_key.entry)
    method = folder.methods[run_key.method]
    if method.scratch:
        raise MetarlError(
            f"{method.name} is tested during its training and leaves no checkpoint: name another --method"
        )
    stored = load_eval(folder, run_key)
    old = stored.eval_sets[entry.scored].returns
    if options.task >= old.shape[1]:
        raise MetarlError(f"there is no task {options.task}: {entry.label}, {entry.scored}, has {old.shape[1]} tasks")
    run = Run.open(folder.run_dir(run_key)) if method.trains else None
    with threads.using(1):  # as in the benchmark: the last digits depend on the number of threads
        result = evaluate_method(method, entry, entry.scored, folder.tasks(entry, entry.scored), run)
    new = result.reward.sum(1, dtype=np.float64)
    difference = float(np.abs(new - old)[:, options.task].max())
    about = f"{run_key}, {entry.scored} task {options.task}: {old.shape[2]} trials of {old.shape[0]} episodes"
    if not difference <= options.tolerance:
        raise MetarlError(f"{about} differ by up to {difference:.6g} in return{_machines(stored.meta['machine'])}")
    return f"{about} are the same" + (", bit for bit" if difference == 0 else f" within {options.tolerance:g}")


def _run_key(folder: BenchmarkFolder, options: VerifyOptions) -> RunKey:
    """Return the run key of the options; MetarlError where the folder has none."""
    names = list(folder.methods)
    method = options.method or next((n for n in names if folder.methods[n].trains), names[0])
    if method not in names:
        raise unknown("method", method, names)
    entry = folder.suite.entry(options.distribution or folder.suite.entries[0].label)
    run_key = RunKey(entry.label, method, options.seed)
    if run_key not in list(folder.run_keys()):
        raise MetarlError(f"{Path(folder.path)} has no {run_key}: it has {folder.plan['seeds']} seeds")
    return run_key


def _machines(old: dict) -> str:
    """Return the differences between the benchmark's machine and this one, which may explain other returns."""
    from metarl.runtime.machine import describe

    new = describe()
    parts = [f"{key}: {old[key]} then, {new[key]} now" for key in ("cpu", "system") if old[key] != new[key]]
    parts += [
        f"{name} {version} then, {new['versions'].get(name)} now"
        for name, version in old["versions"].items()
        if version != new["versions"].get(name)
    ]
    if not parts:
        return ", on the same machine with the same versions: the checkpoint is not the one that was evaluated"
    return f" ({'; '.join(parts)}): give --tolerance if that explains it"


COMMAND = Command(
    "verify", VerifyOptions, lambda options: print(verify(options)), "repeat one evaluation of a benchmark and compare"
)
