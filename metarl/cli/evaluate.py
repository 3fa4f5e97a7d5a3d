"""`metarl evaluate RUN_DIR`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from metarl import api
from metarl.cli import parse
from metarl.run import EVAL, PICTURE

if TYPE_CHECKING:
    from metarl.evaluation import Lifetimes


@dataclass(frozen=True)
class EvaluateOptions:
    """Play frozen tasks and print the return of each episode of the trial."""

    run_dir: tyro.conf.Positional[str]
    """what `metarl train` left"""
    split: str | None = None
    """train, valid, test or ood; by default every held-out split there is"""
    tasks: int = 64
    """tasks of each split, always the same ones"""
    replicates: int = 2
    """trials on each task, with other start states; the same ones for every agent"""
    against: tuple[str, ...] = ()
    """who to compare with: wiped (the same agent, memory wiped at each episode), random, or other run directories"""
    sample_actions: bool = False
    """draw actions from the policy, as in training, instead of taking its mean"""
    out: str | None = None
    """where eval.npz and adaptation.png go; by default the run directory"""


def main(arguments: list[str]) -> None:
    """Evaluate, print, say where the files are."""
    o: EvaluateOptions = parse(EvaluateOptions, arguments, "metarl evaluate")
    results = api.evaluate(o.run_dir, o.split, o.tasks, o.replicates, o.against, not o.sample_actions, o.out)
    print_returns(results)
    folder = Path(o.out or o.run_dir)
    print(f"{folder / EVAL}\n{folder / PICTURE}")


def print_returns(results: Mapping[str, Mapping[str, Lifetimes]], console: Console | None = None) -> None:
    """Mean return of each episode, +- its standard error over tasks."""
    episodes = len(next(iter(next(iter(results.values())).values())).reward)
    table = Table(title="mean return of each episode of the trial, +- standard error over tasks")
    for name in ("split", "tasks", "agent", *(f"episode {k + 1}" for k in range(episodes)), "env steps"):
        table.add_column(name, justify="left" if name in ("split", "agent") else "right")
    diverged = 0
    for split, agents in results.items():
        for agent, lives in agents.items():
            by_task = lives.returns.mean(2)  # [K, N]
            cells = [_mean_and_error(episode) for episode in by_task]
            table.add_row(split, str(len(lives.tasks)), agent, *cells, f"{int(lives.lived.sum()):,}")
            diverged += lives.diverged
        table.add_section()
    console = console or Console(highlight=False)
    console.print(table)
    if diverged:
        console.print(f"warning: {diverged} episodes ended by diverged physics")


def _mean_and_error(returns: np.ndarray) -> str:
    """Of one number a task; three figures or so."""
    digits = 1 if abs(returns).max() >= 10 else 2 if abs(returns).max() >= 1 else 3
    error = f" +- {returns.std(ddof=1) / len(returns) ** 0.5:.{digits}f}" if len(returns) > 1 else ""
    return f"{returns.mean():.{digits}f}{error}"
