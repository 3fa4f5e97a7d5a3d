"""`metarl evaluate RUN_DIR`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from metarl import api
from metarl.cli.main import parse
from metarl.errors import MetarlError
from metarl.training.run_dir import EVAL, PICTURE

if TYPE_CHECKING:
    from metarl.training.evaluate import EvalResult


MOST_COLUMNS = 5  # episodes of a trial shown one by one


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
    """who to compare with: a control of this agent (wiped: memory wiped at each episode; unadapted: no gradient steps),
    agents that need no training (random), or other run directories"""
    sample_actions: bool = False
    """draw actions from the policy, as in training, instead of taking its mean"""
    episodes: int | None = None
    """of a trial; by default the distribution's"""
    settings: tuple[str, ...] = ()
    """NAME=VALUE: settings of the agent's own that it and its controls are to live by, such as trial_shots=20 (MAML)"""
    out: str | None = None
    """where eval.npz and adaptation.png go; by default the run directory"""


def main(arguments: list[str]) -> None:
    """Evaluate, print, say where the files are."""
    o: EvaluateOptions = parse(EvaluateOptions, arguments, "metarl evaluate")
    settings = dict(map(_setting, o.settings))
    results = api.evaluate(
        o.run_dir, o.split, o.tasks, o.replicates, o.against, not o.sample_actions, o.out, o.episodes, settings
    )
    print_returns(results)
    folder = Path(o.out or o.run_dir)
    print(f"{folder / EVAL}\n{folder / PICTURE}")


def _setting(given: str) -> tuple[str, Any]:
    """A number, true or false, or else a word."""
    name, equals, value = given.partition("=")
    if not equals:
        raise MetarlError(f"--settings takes NAME=VALUE, got {given!r}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def print_returns(results: Mapping[str, Mapping[str, EvalResult]], console: Console | None = None) -> None:
    """Mean return of each episode (of some where there are many) and of the trial, and standard errors over tasks."""
    console = console or Console(highlight=False)
    episodes, _, tasks, replicates = next(iter(next(iter(results.values())).values())).reward.shape
    console.print(f"mean return ± its standard error over {tasks} tasks, {replicates} trials on each")
    table = Table("split")
    table.add_column("agent", no_wrap=True)
    shown = _some(episodes)
    for k in shown:
        table.add_column(f"episode {k + 1}", justify="right")
    table.add_column("whole trial", justify="right")
    for split, agents in results.items():
        for agent, lives in agents.items():
            returns = lives.returns.mean(2)  # [K, N]
            table.add_row(split, agent, *map(_mean_and_error, [*returns[shown], returns.sum(0)]))
        table.add_section()
    console.print(table)
    diverged = sum(lives.diverged for agents in results.values() for lives in agents.values())
    if diverged:
        console.print(f"warning: {diverged} episodes ended by diverged physics")


def _some(episodes: int) -> list[int]:
    """All of a few episodes; of many the first, the fourth, the sixteenth, ..., and the last."""
    if episodes <= MOST_COLUMNS:
        return list(range(episodes))
    return sorted({*(4**i - 1 for i in range(MOST_COLUMNS) if 4**i <= episodes), episodes - 1})


def _mean_and_error(returns: np.ndarray) -> str:
    """Of one number a task; the smaller, the more decimals."""
    largest = abs(returns).max()
    digits = 1 if largest >= 10 else 2 if largest >= 1 else 3
    error = f" ± {returns.std(ddof=1) / len(returns) ** 0.5:.{digits}f}" if len(returns) > 1 else ""
    return f"{returns.mean():.{digits}f}{error}"
