"""`metarl evaluate RUN_DIR`: evaluation of a run on frozen tasks."""

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


MOST_COLUMNS = 5  # episodes of a trial that have a column each


@dataclass(frozen=True)
class EvaluateOptions:
    """Evaluate a run on frozen tasks and print the mean return of each episode of the trial."""

    run_dir: tyro.conf.Positional[str]
    """directory of a run of `metarl train`"""
    split: str | None = None
    """train, valid, test or ood; by default all held-out splits"""
    tasks: int = 64
    """tasks of each split, the same ones in every evaluation"""
    replicates: int = 2
    """trials on each task, with different start states that are the same for every agent"""
    against: tuple[str, ...] = ()
    """agents to compare with: a control of this agent (wiped: memory cleared at each episode; unadapted: no gradient
    steps), agents that need no training (random), or other run directories"""
    sample_actions: bool = False
    """sample actions from the policy, as in training, instead of taking the mode"""
    episodes: int | None = None
    """episodes of a trial; by default those of the distribution"""
    settings: tuple[str, ...] = ()
    """NAME=VALUE: settings of the agent to change, for its controls too, such as trial_shots=20 (MAML)"""
    out: str | None = None
    """directory for eval.npz and adaptation.png; by default the run directory"""


def main(arguments: list[str]) -> None:
    """Run `metarl evaluate`: print a table and the paths of the files."""
    o: EvaluateOptions = parse(EvaluateOptions, arguments, "metarl evaluate")
    settings = dict(map(_setting, o.settings))
    results = api.evaluate(
        o.run_dir, o.split, o.tasks, o.replicates, o.against, not o.sample_actions, o.out, o.episodes, settings
    )
    print_returns(results)
    folder = Path(o.out or o.run_dir)
    print(f"{folder / EVAL}\n{folder / PICTURE}")


def _setting(text: str) -> tuple[str, Any]:
    """Return (name, value) of NAME=VALUE. A value that is not JSON, such as a number or true, is a string."""
    name, equals, value = text.partition("=")
    if not equals:
        raise MetarlError(f"--settings takes NAME=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def print_returns(results: Mapping[str, Mapping[str, EvalResult]], console: Console | None = None) -> None:
    """Print the mean returns of episodes (of some if there are many) and of the trial, with standard errors."""
    console = console or Console(highlight=False)
    episodes, _, tasks, replicates = next(iter(next(iter(results.values())).values())).reward.shape
    console.print(f"mean return ± its standard error over {tasks} tasks, {replicates} trials on each")
    table = Table("split")
    table.add_column("agent", no_wrap=True)
    columns = _episode_columns(episodes)
    for k in columns:
        table.add_column(f"episode {k + 1}", justify="right")
    table.add_column("whole trial", justify="right")
    for split, agents in results.items():
        for agent, result in agents.items():
            returns = result.returns.mean(2)  # [K, N]
            table.add_row(split, agent, *map(_mean_and_error, [*returns[columns], returns.sum(0)]))
        table.add_section()
    console.print(table)
    diverged = sum(result.diverged for agents in results.values() for result in agents.values())
    if diverged:
        console.print(f"warning: diverged physics ended {diverged} episodes")


def _episode_columns(episodes: int) -> list[int]:
    """Return all of a few episodes; of many, the first, the fourth, the sixteenth, ..., and the last."""
    if episodes <= MOST_COLUMNS:
        return list(range(episodes))
    return sorted({*(4**i - 1 for i in range(MOST_COLUMNS) if 4**i <= episodes), episodes - 1})


def _mean_and_error(returns: np.ndarray) -> str:
    """Return "mean ± standard error" of returns [N], with more decimals for smaller numbers."""
    largest = abs(returns).max()
    digits = 1 if largest >= 10 else 2 if largest >= 1 else 3
    error = f" ± {returns.std(ddof=1) / len(returns) ** 0.5:.{digits}f}" if len(returns) > 1 else ""
    return f"{returns.mean():.{digits}f}{error}"
