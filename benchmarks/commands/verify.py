"""`metarl verify FOLDER`: live one cell of a benchmark again from its checkpoint, and compare."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from metarl.benchmarks.job.folder import Folder, RunKey
from metarl.benchmarks.results.load_results import checked
from metarl.checks import check_number, check_whole
from metarl.cli.command import Command
from metarl.errors import MetarlError, unknown
from metarl.training.run_dir import Run


@dataclass(frozen=True)
class VerifyOptions:
    """Do the returns in the report come from the weights beside them? One seed and task, lived through again."""

    folder: tyro.conf.Positional[str]
    """what `metarl benchmark` left"""
    method: str | None = None
    """whose; by default the first that has been trained"""
    distribution: str | None = None
    """where; by default the suite's first"""
    seed: int = 0
    """of the training"""
    task: int = 0
    """of the scored eval set, from 0"""
    tolerance: float = 0.0
    """how far returns may differ; 0, bit for bit, is what one machine and one set of versions give"""

    def __post_init__(self) -> None:
        check_whole(self, "seed", "task", low=0)
        check_number(self, "tolerance", low=0)


def verify(options: VerifyOptions) -> str:
    """What was compared; MetarlError where it differs."""
    from metarl.benchmarks.job.evaluate import live
    from metarl.runtime import threads

    folder = Folder.open(options.folder)
    run_key = _run_key(folder, options)
    if not folder.finished(run_key):
        raise MetarlError(f"{run_key} has not finished: `metarl benchmark` goes on with it")
    entry = folder.suite.entry(run_key.entry)
    method = folder.methods[run_key.method]
    if method.scratch:
        raise MetarlError(f"{method.name} learns as it is tested and leaves no checkpoint: name another --method")
    record = checked(folder, run_key)
    was = record.eval_sets[entry.scored].returns
    if options.task >= was.shape[1]:
        raise MetarlError(f"there is no task {options.task}: {entry.label}, {entry.scored}, has {was.shape[1]} tasks")
    run = Run.open(folder.run_dir(run_key)) if method.trains else None
    with threads.using(1):  # as the benchmark does: results depend on it in the last digits
        lives = live(method, entry, entry.scored, folder.tasks(entry, entry.scored), run)
    now = lives.reward.sum(1, dtype=np.float64)
    difference = float(np.abs(now - was)[:, options.task].max())
    about = f"{run_key}, {entry.scored} task {options.task}: {was.shape[2]} trials of {was.shape[0]} episodes"
    if not difference <= options.tolerance:
        raise MetarlError(f"{about} differ by up to {difference:.6g} in return{_machines(record.meta['machine'])}")
    return f"{about} are the same" + (", bit for bit" if difference == 0 else f" within {options.tolerance:g}")


def _run_key(folder: Folder, options: VerifyOptions) -> RunKey:
    names = list(folder.methods)
    method = options.method or next((n for n in names if folder.methods[n].trains), names[0])
    if method not in names:
        raise unknown("method", method, names)
    entry = folder.suite.entry(options.distribution or folder.suite.entries[0].label)
    run_key = RunKey(entry.label, method, options.seed)
    if run_key not in list(folder.run_keys()):
        raise MetarlError(f"{Path(folder.path)} has no {run_key}: it has {folder.plan['seeds']} seeds")
    return run_key


def _machines(was: dict) -> str:
    """What could explain a difference."""
    from metarl.runtime.machine import describe

    now = describe()
    parts = [f"{key}: {was[key]} then, {now[key]} now" for key in ("cpu", "system") if was[key] != now[key]]
    parts += [
        f"{name} {version} then, {now['versions'].get(name)} now"
        for name, version in was["versions"].items()
        if version != now["versions"].get(name)
    ]
    if not parts:
        return ", on the same machine with the same versions: the checkpoint is not the one that was evaluated"
    return f" ({'; '.join(parts)}): give --tolerance if that explains it"


COMMAND = Command(
    "verify", VerifyOptions, lambda options: print(verify(options)), "live one seed of a benchmark again and compare"
)
