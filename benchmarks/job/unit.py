"""A unit of work: train one entrant with one seed on one distribution, then let it and whoever lives from it live."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from metarl import api, record, threads, training
from metarl.benchmarks.job import scratch
from metarl.benchmarks.job.folder import FAILED, Cell, Folder
from metarl.benchmarks.job.lifetimes import live, training_settings
from metarl.benchmarks.speed.machine import describe
from metarl.benchmarks.speed.memory import forget_peak, peak
from metarl.benchmarks.suites.scratch import SCRATCH
from metarl.benchmarks.suites.suite import Family
from metarl.evaluation import Lifetimes
from metarl.run import EVAL, TIMES, Run, read_table
from metarl.training import Interrupted, TrainOptions

CHECKPOINTS = 10  # of a training, so that a kill costs a tenth of it at most


@dataclass(frozen=True)
class Unit:
    """The cells that one training serves; an entrant with nothing to learn is a unit of its own."""

    family: str
    owner: str
    seed: int
    cells: tuple[Cell, ...]
    steps: int  # env steps of training; 0 if there is none


def units(folder: Folder) -> Iterator[Unit]:
    """What is left to do, in the order of the plan."""
    left: dict[tuple[str, str, int], list[Cell]] = {}
    for cell in folder.cells():
        if not folder.finished(cell):
            left.setdefault((cell.family, folder.entrants[cell.entrant].owner, cell.seed), []).append(cell)
    for (label, owner, seed), cells in left.items():
        entrant, family = folder.entrants[owner], folder.suite.family(label)
        yield Unit(label, owner, seed, tuple(cells), family.budget(entrant) if entrant.trains else 0)


def work(folder: Folder, unit: Unit, device: str) -> dict[str, str]:
    """Do it on one thread; {cell: why it failed} of those that did. What fails is noted in its own cells only."""
    family, owner = folder.suite.family(unit.family), folder.entrants[unit.owner]
    failures: dict[str, str] = {}
    forget_peak()
    with threads.using(1):
        try:
            if owner.scratch:
                _learn_alone(folder, unit.cells[0], family)
                return failures
            run = _train(folder, unit, family, device) if owner.trains else None
        except Interrupted:
            raise
        except Exception as error:  # a stranger's agent may raise anything
            for cell in unit.cells:
                failures[str(cell)] = _note(folder, cell, error)
            return failures
        for cell in unit.cells:
            try:
                _live(folder, cell, family, run)
            except Exception as error:
                failures[str(cell)] = _note(folder, cell, error)
    return failures


def _train(folder: Folder, unit: Unit, family: Family, device: str) -> Run:
    entrant = folder.entrants[unit.owner]
    path = folder.run_dir(Cell(unit.family, unit.owner, unit.seed))
    options = TrainOptions(
        steps=unit.steps, seed=unit.seed, run_dir=str(path), resume=True, device=device, threads=1,
        checkpoint_every=max(1, unit.steps // CHECKPOINTS), evaluate_every=0,
    )  # fmt: skip
    sources = {"agent": api.source(entrant.agent), "distribution": api.source(family.name)}
    return training.train(entrant.kind, family.distribution, training_settings(entrant, family), options, sources)


def _live(folder: Folder, cell: Cell, family: Family, run: Run | None) -> None:
    entrant = folder.entrants[cell.entrant]
    began = time.perf_counter()
    with torch.random.fork_rng():  # a stranger's agent may use the global generator
        torch.manual_seed(cell.seed)
        lives = {
            panel: live(entrant, family, panel, folder.tasks(family, panel), run)
            for panel in family.lived_by(entrant)
        }  # fmt: skip
    seconds = round(time.perf_counter() - began, 2)
    _write(folder, cell, family, lives, {"training": _training(run), "seconds": seconds})


def _learn_alone(folder: Folder, cell: Cell, family: Family) -> None:
    """Single tasks, from nothing: training and evaluation are one."""
    entrant = folder.entrants[cell.entrant]
    with torch.random.fork_rng():
        found = scratch.learn(entrant, family, folder.tasks(family, SCRATCH), cell.seed, folder.run_dir(cell))
    training = {
        "env_steps": found.env_steps[-1] * len(found.lives.tasks), "seconds": found.seconds, "device": "cpu",
        "settings": dict(entrant.settings), "marks": found.env_steps,
    }  # fmt: skip
    _write(folder, cell, family, {SCRATCH: found.lives}, {"training": training, "seconds": 0.0})


def _write(folder: Folder, cell: Cell, family: Family, lives: Mapping[str, Lifetimes], more: Mapping[str, Any]) -> None:
    """The cell's file, which finishes it."""
    at, entrant = folder.at(cell), folder.entrants[cell.entrant]
    at.mkdir(parents=True, exist_ok=True)
    meta = {
        "suite": folder.suite.name, "distribution": cell.family, "entrant": cell.entrant, "seed": cell.seed,
        "owner": entrant.owner, "trained": entrant.trains, "deterministic": entrant.deterministic,
        "fingerprint": dict(family.distribution.simulated_world.fingerprint()), "peak_memory": peak(),
        "diverged": {panel: lived.diverged for panel, lived in lives.items()}, "machine": describe(), **more,
    }  # fmt: skip
    record.write(at / EVAL, {panel: {cell.entrant: lived} for panel, lived in lives.items()}, meta)
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


def _note(folder: Folder, cell: Cell, error: Exception) -> str:
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    folder.fail(cell, reason, traceback.format_exc())
    return reason
