"""`metarl optima`: agents that use the distribution of tasks, on the games, beside published numbers."""

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
AGENTS: dict[str, dict[str, list[Settings]]] = {
    **{name: BANDIT if name.startswith("Bandit") else TABLE for name in PUBLISHED},
    **dict.fromkeys(("GridNavi", "GridNavi7", "DarkRoom", "DarkRoomHard"), GRID),
    "DarkKeyDoor": {"random": [{}], "exhaustive-search": [{}]},
    "PointNavSparse": {"random": [{}], "point-sampling": [{}]},
    "GaussianBandit5N100": {"random": [{}], "thompson": [{}], "ucb1": [{}]},
    "LinkedBandit2N100": {"random": [{}], "thompson": [{}], "ucb1": [{}]},
}
"""distribution -> agent -> changes of the settings tuned for it, one evaluation each"""

COLUMNS = ("distribution", "agent", "settings", "total reward", "s.e.", "published", "differs by s.e.")


@dataclass(frozen=True)
class OptimaOptions:
    """Print the total reward of a trial, over tasks of the test split."""

    distributions: tyro.conf.Positional[tuple[str, ...]] = ()
    """distributions to evaluate on; by default all that have such agents"""
    instances: int = 1000
    """number of tasks, one trial on each"""
    out: Path | None = None
    """file to write the Markdown table to"""

    def __post_init__(self) -> None:
        check_whole(self, "instances", low=2)
        for name in self.distributions:
            if name not in AGENTS:
                raise MetarlError(f"{name!r} has no agents to evaluate: choose among {', '.join(AGENTS)}")


@dataclass(frozen=True)
class Row:
    """The total reward of one agent on one distribution."""

    distribution: str
    agent: str
    settings: str
    mean: float
    error: float  # standard error of the mean

    @property
    def published(self) -> float | None:
        """The published number, where there is one."""
        return PUBLISHED.get(self.distribution, {}).get(self.agent)

    @property
    def difference(self) -> float | None:
        """The difference to the published number in standard errors of a difference.

        The published number is assumed to have the same standard error, and a rounding error of up to 0.05.
        """
        if self.published is None:
            return None
        return (self.mean - self.published) / math.sqrt(2 * self.error**2 + 0.1**2 / 12)

    def cells(self) -> tuple[str, ...]:
        """Return the row as text, in the order of COLUMNS."""
        published = "" if self.published is None else f"{self.published}"
        differs = "" if self.difference is None else f"{self.difference:+.1f}"
        return (
            self.distribution, self.agent, self.settings, f"{self.mean:.2f}", f"{self.error:.2f}", published, differs
        )  # fmt: skip


def rows(names: tuple[str, ...], instances: int) -> Iterator[Row]:
    """Yield the row of every agent on each of these distributions."""
    for name in names:
        distribution: TaskDistribution = registry.find("distribution", name)
        for agent, variants in AGENTS[name].items():
            for settings in variants:
                yield _evaluate(distribution, registry.find("agent", agent), settings, instances)


def _evaluate(distribution: TaskDistribution, agent_type: AgentType, changes: Settings, instances: int) -> Row:
    from metarl.training import evaluate

    settings = agent_type.make_settings(distribution, changes)
    env = distribution.make(instances)
    agent = agent_type.restore(env.observation_space, env.action_space, settings, {}, True)
    split = "test" if "test" in distribution.splits else "train"
    totals = evaluate.evaluate_agent(agent, env, distribution.tasks(split, instances, seed=0)).returns.sum(0)
    env.close()
    shown = {f.name: getattr(settings, f.name) for f in fields(settings) if f.name != "seed"}
    text = ", ".join(f"{key} {value}" for key, value in shown.items())
    error = float(totals.std(ddof=1)) / math.sqrt(totals.size)
    return Row(distribution.name, agent_type.name, text, float(totals.mean()), error)


def run(options: OptimaOptions) -> None:
    """Print each row as soon as it is computed, and write the Markdown file."""
    from metarl.runtime import threads
    from metarl.training.run_dir import write_atomically, writing

    start = time.perf_counter()
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + " --- |" * len(COLUMNS)]
    print(*lines, sep="\n")
    with threads.using(1):
        for row in rows(options.distributions or tuple(AGENTS), options.instances):
            lines.append(f"| {' | '.join(row.cells())} |")
            print(lines[-1], flush=True)
    minutes = (time.perf_counter() - start) / 60
    print(f"{options.instances} tasks each, {minutes:.1f} minutes on one core")
    if options.out:
        with writing(options.out, "give another --out"):
            write_atomically(options.out, (_head(options.instances) + "\n".join(lines) + "\n").encode())


def _head(instances: int) -> str:
    return f"""# References on the games

Printed by `metarl optima --out docs/results/games_references.md`: mean total reward of a trial over {instances}
tasks of the test split, with its standard error. Published: Duan et al. (2016), tables 1 and 2, over 1000 tasks of
their own. The last column divides the difference by the standard error of a difference of two such means.

The published Gittins policy is an approximation chosen for each row; the Gittins index with discount 0.995 is closest
to it. Without discount, our agent looks ahead over the remaining pulls and has a higher total reward. Both Thompson
samplings have a uniform prior. The published constants of the other agents were tuned and are not known; the table
shows ours. The walk of `bayes-search` on GridNavi is exactly optimal, with an expected total of 37.214. Upper
bounds of the expected total elsewhere: 71.79 (GridNavi7), 136.17 (DarkRoom), 13.27 (DarkRoomHard).

"""


COMMAND = Command("optima", OptimaOptions, run, "agents that use the distribution of tasks, beside published numbers")
