"""`metarl verify FOLDER`: live one cell of a benchmark again from its checkpoint, and compare."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from metarl.benchmarks.collect import checked
from metarl.benchmarks.job.folder import Cell, Folder
from metarl.checks import check_number, check_whole
from metarl.command import Command
from metarl.errors import MetarlError, unknown
from metarl.run import Run


@dataclass(frozen=True)
class VerifyOptions:
    """Do the returns in the report come from the weights beside them? One seed and task, lived through again."""

    folder: tyro.conf.Positional[str]
    """what `metarl benchmark` left"""
    entrant: str | None = None
    """whose; by default the first that has been trained"""
    distribution: str | None = None
    """where; by default the suite's first"""
    seed: int = 0
    """of the training"""
    task: int = 0
    """of the scored panel, from 0"""
    tolerance: float = 0.0
    """how far returns may differ; 0, bit for bit, is what one machine and one set of versions give"""

    def __post_init__(self) -> None:
        check_whole(self, "seed", "task", low=0)
        check_number(self, "tolerance", low=0)


def verify(options: VerifyOptions) -> str:
    """What was compared; MetarlError where it differs."""
    from metarl import threads
    from metarl.benchmarks.job.lifetimes import live

    folder = Folder.open(options.folder)
    cell = _cell(folder, options)
    if not folder.finished(cell):
        raise MetarlError(f"{cell} has not finished: `metarl benchmark` goes on with it")
    family = folder.suite.family(cell.family)
    entrant = folder.entrants[cell.entrant]
    if entrant.scratch:
        raise MetarlError(f"{entrant.name} learns as it is tested and leaves no checkpoint: name another --entrant")
    record = checked(folder, cell)
    was = record.panels[family.scored].returns
    if options.task >= was.shape[1]:
        raise MetarlError(f"there is no task {options.task}: {family.label}, {family.scored}, has {was.shape[1]} tasks")
    run = Run.open(folder.run_dir(cell)) if entrant.trains else None
    with threads.using(1):  # as the benchmark does: results depend on it in the last digits
        lives = live(entrant, family, family.scored, folder.tasks(family, family.scored), run)
    now = lives.reward.sum(1, dtype=np.float64)
    difference = float(np.abs(now - was)[:, options.task].max())
    about = f"{cell}, {family.scored} task {options.task}: {was.shape[2]} trials of {was.shape[0]} episodes"
    if not difference <= options.tolerance:
        raise MetarlError(f"{about} differ by up to {difference:.6g} in return{_machines(record.meta['machine'])}")
    return f"{about} are the same" + (", bit for bit" if difference == 0 else f" within {options.tolerance:g}")


def _cell(folder: Folder, options: VerifyOptions) -> Cell:
    names = list(folder.entrants)
    entrant = options.entrant or next((n for n in names if folder.entrants[n].trains), names[0])
    if entrant not in names:
        raise unknown("entrant", entrant, names)
    family = folder.suite.family(options.distribution or folder.suite.families[0].label)
    cell = Cell(family.label, entrant, options.seed)
    if cell not in list(folder.cells()):
        raise MetarlError(f"{Path(folder.path)} has no {cell}: it has {folder.plan['seeds']} seeds")
    return cell


def _machines(was: dict) -> str:
    """What could explain a difference."""
    from metarl.benchmarks.speed.machine import describe

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
