"""`metarl curve RUN_DIR...`: training curves as a table of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from metarl.cli.command import Command
from metarl.errors import MetarlError
from metarl.training.run_dir import METRICS, TIMES, Run, read_table

SMOOTH = 10  # updates that are averaged


@dataclass(frozen=True)
class CurveOptions:
    """Print the mean return of the first and last episode over the 10 updates before each mark, and the time taken."""

    run_dirs: tyro.conf.Positional[tuple[str, ...]]
    """run directories of `metarl train`"""
    at: tuple[float, ...] = ()
    """marks in env steps; by default ten evenly spaced ones"""
    csv: str | None = None
    """CSV file to write the rows to"""


COLUMNS = ("run", "seed", "env_steps", "minutes", "return_first", "return_last")


def curve(run_dir: str, at: tuple[float, ...]) -> list[tuple[str, int, int, float, float, float]]:
    """Return a row of COLUMNS for each mark that the run has reached; MetarlError where it has no metrics."""
    run = Run.open(run_dir)
    config = run.config
    metrics, times = read_table(run.path / METRICS), read_table(run.path / TIMES)
    steps = np.array(metrics["env_steps"])
    if not len(steps):
        raise MetarlError(f"{run_dir} has no metrics yet: train it first")
    label = f"{config['agent']['name']} on {config['distribution']['name']}"
    rows = []
    for mark in at or tuple(np.linspace(steps[-1] / 10, steps[-1], 10)):
        if mark > steps[-1]:
            continue
        row = int(np.searchsorted(steps, mark))
        recent = slice(max(0, row + 1 - SMOOTH), row + 1)
        first, last = (float(np.mean(metrics[name][recent])) for name in ("return_first", "return_last"))
        rows.append(
            (
                label,
                config["seed"],
                int(steps[row]),
                round(times["seconds"][row] / 60, 2),
                round(first, 1),
                round(last, 1),
            )
        )
    return rows


def run(options: CurveOptions) -> None:
    """Print the table, and write the CSV file."""
    table = Table(*COLUMNS)
    rows = [row for run_dir in options.run_dirs for row in curve(run_dir, options.at)]
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
    Console().print(table)
    if options.csv:
        lines = [",".join(COLUMNS), *(",".join(map(str, row)) for row in rows)]
        Path(options.csv).write_text("\n".join(lines) + "\n")
        print(options.csv)


COMMAND = Command("curve", CurveOptions, run, "training curves of runs as numbers")
