"""`metarl optima`: agents that know the distribution of the tasks, on the games, beside what papers print for them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import tyro

from metarl import registry
from metarl.benchmarks.results.published import PUBLISHED
from metarl.checks import check_whole
from metarl.cli.command import Command
from metarl.core.agent import AgentType
from metarl.errors import MetarlError
from metarl.tasks.task_distribution import TaskDistribution

Settings = Mapping[str, Any]

BANDIT: dict[str, list[Settings]] = {
    "random": [{}], "gittins": [{}, {"discount": 0.995}], "thompson": [{}], "ucb1": [{}], "epsilon-greedy": [{}],
}  # fmt: skip
TABLE: dict[str, list[Settings]] = {"random": [{}], "psrl": [{}], "opsrl": [{}], "ucrl2": [{}]}
GRID: dict[str, list[Settings]] = {"random": [{}], "exhaustive-search": [{}], "bayes-search": [{}]}
PLAYED: dict[str, dict[str, list[Settings]]] = {
    **{name: BANDIT if name.startswith("Bandit") else TABLE for name in PUBLISHED},
    **dict.fromkeys(("GridNavi", "GridNavi7", "DarkRoom", "DarkRoomHard"), GRID),
    "DarkKeyDoor": {"random": [{}], "exhaustive-search": [{}]},
    "PointNavSparse": {"random": [{}], "point-sampling": [{}]},
    "GaussianBandit5N100": {"random": [{}], "thompson": [{}], "ucb1": [{}]},
    "LinkedBandit2N100": {"random": [{}], "thompson": [{}], "ucb1": [{}]},
}
"""distribution -> agent -> the settings it is played with, beside those tuned for it"""

COLUMNS = ("distribution", "agent", "settings", "total reward", "s.e.", "published", "differs by s.e.")


@dataclass(frozen=True)
class OptimaOptions:
    """Total reward of a trial, over fresh tasks of the test split."""

    distributions: tyro.conf.Positional[tuple[str, ...]] = ()
    """which; all that have references when left out"""
    instances: int = 1000
    """tasks, each lived through once"""
    out: Path | None = None
    """write the Markdown table to this file too"""

    def __post_init__(self) -> None:
        check_whole(self, "instances", low=2)
        for name in self.distributions:
            if name not in PLAYED:
                raise MetarlError(f"{name!r} has no references to play: choose of {', '.join(PLAYED)}")


@dataclass(frozen=True)
class Row:
    """One agent on one distribution."""

    distribution: str
    agent: str
    settings: str
    mean: float
    error: float  # standard error of the mean

    @property
    def published(self) -> float | None:
        return PUBLISHED.get(self.distribution, {}).get(self.agent)

    @property
    def difference(self) -> float | None:
        """From the published number in standard errors; that number is taken to be as uncertain, and rounded."""
        if self.published is None:
            return None
        return (self.mean - self.published) / math.sqrt(2 * self.error**2 + 0.1**2 / 12)

    def run_keys(self) -> tuple[str, ...]:
        published = "" if self.published is None else f"{self.published}"
        differs = "" if self.difference is None else f"{self.difference:+.1f}"
        return (
            self.distribution, self.agent, self.settings, f"{self.mean:.2f}", f"{self.error:.2f}", published, differs
        )  # fmt: skip


def rows(names: tuple[str, ...], instances: int) -> Iterator[Row]:
    """Every agent on every one of these distributions."""
    for name in names:
        entry: TaskDistribution = registry.find("distribution", name)
        for agent, variants in PLAYED[name].items():
            for given in variants:
                yield _play(entry, registry.find("agent", agent), given, instances)


def _play(entry: TaskDistribution, kind: AgentType, given: Settings, instances: int) -> Row:
    from metarl.training import evaluate

    settings = kind.make_settings(entry, given)
    env = entry.make(instances)
    agent = kind.restore(env.observation_space, env.action_space, settings, {}, True)
    split = "test" if "test" in entry.splits else "train"
    totals = evaluate.evaluate_agent(agent, env, entry.tasks(split, instances, seed=0)).returns.sum(0)
    env.close()
    shown = {f.name: getattr(settings, f.name) for f in fields(settings) if f.name != "seed"}
    text = ", ".join(f"{key} {value}" for key, value in shown.items())
    error = float(totals.std(ddof=1)) / math.sqrt(totals.size)
    return Row(entry.name, kind.name, text, float(totals.mean()), error)


def run(options: OptimaOptions) -> None:
    """Play, print rows as they come, write the file asked for."""
    from metarl.runtime import threads
    from metarl.training.run_dir import write_atomically, writing

    began = time.perf_counter()
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + " --- |" * len(COLUMNS)]
    print(*lines, sep="\n")
    with threads.using(1):
        for row in rows(options.distributions or tuple(PLAYED), options.instances):
            lines.append(f"| {' | '.join(row.run_keys())} |")
            print(lines[-1], flush=True)
    minutes = (time.perf_counter() - began) / 60
    print(f"{options.instances} tasks each, {minutes:.1f} minutes on one core")
    if options.out:
        with writing(options.out, "give another --out"):
            write_atomically(options.out, (_head(options.instances) + "\n".join(lines) + "\n").encode())


def _head(instances: int) -> str:
    return f"""# References on the games

Printed by `metarl optima --out docs/results/games_references.md`: mean total reward of a trial over {instances}
tasks of the test split, with its standard error. Published: Duan et al. (2016), tables 1 and 2, over 1000 tasks of
their own. The last column divides the difference by the standard error of a difference of two such means.

The published Gittins policy is an approximation chosen for each row; Gittins' own index at discount 0.995 comes
nearest. Ours without discount looks ahead over the pulls that are left, and earns more. Published Thompson sampling has
a uniform prior, as ours. The published constants of the others were tuned and are not known; ours stand in the table.
The walk of `bayes-search` on GridNavi is exactly optimal, its expected total 37.214; elsewhere no agent's is above
71.79 (GridNavi7), 136.17 (DarkRoom), 13.27 (DarkRoomHard).

"""


COMMAND = Command("optima", OptimaOptions, run, "agents that know the tasks' distribution, beside published numbers")
