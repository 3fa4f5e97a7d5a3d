"""`metarl benchmark SUITE`: train and evaluate methods on a suite, and write the report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from metarl.benchmarks.job.benchmark_folder import BenchmarkFolder
from metarl.benchmarks.results.load_results import REFERENCES
from metarl.benchmarks.results.references import RANDOM
from metarl.benchmarks.suites import suite as suites
from metarl.benchmarks.suites.method import Method, select_methods
from metarl.benchmarks.suites.suite import Suite
from metarl.checks import check_whole
from metarl.cli.command import Command
from metarl.errors import MetarlError
from metarl.training.run_dir import write_atomically


@dataclass(frozen=True)
class BenchmarkOptions:
    """Compare how fast agents adapt to unseen tasks."""

    suite: tyro.conf.Positional[str]
    """quick, games, robots, generalisation, or the path of a suite file of your own"""
    agents: tuple[str, ...] = ()
    """agents to compare: methods of the suite, names of `metarl list`, path/to/file.py:Name; by default the suite's"""
    distributions: tuple[str, ...] = ()
    """distributions of the suite to include; by default all"""
    steps: int | None = None
    """maximum env steps of training for each method; by default the suite's. Results with fewer steps than in the suite
    are marked preliminary, and cannot be merged with results of other budgets"""
    seeds: int | None = None
    """training seeds of each agent; by default the suite's. With fewer than 5 there are no intervals"""
    out: str | None = None
    """folder of all results; by default runs/benchmark-SUITE. An interrupted benchmark is continued"""
    device: str = "auto"
    """auto, cpu or cuda"""
    processes: int | None = None
    """number of trainings that run at the same time, of one thread each; by default one for each core or GPU"""

    def __post_init__(self) -> None:
        for name in ("steps", "seeds", "processes"):
            if getattr(self, name) is not None:
                check_whole(self, name, low=1)
        if self.device not in ("auto", "cpu", "cuda"):
            raise MetarlError(f"device must be auto, cpu or cuda, got {self.device!r}")


def benchmark(options: BenchmarkOptions) -> Path:
    """Run all jobs and write the report; returns the path of report.html. Failures are listed in the report."""
    from metarl.benchmarks.commands.report import write_report
    from metarl.benchmarks.job.schedule import run_jobs

    suite = suites.load(options.suite)
    methods, seeds = suite_methods(suite, options.agents), options.seeds or suite.seeds
    folder = begin(suite, methods, seeds, options.out, options.distributions, options.steps)
    console = Console(highlight=False, soft_wrap=True)
    run_jobs(folder, options.device, options.processes, lambda line: console.print(line, markup=False))
    return write_report([folder.path], folder.path, console)


def suite_methods(suite: Suite, agents: tuple[str, ...]) -> dict[str, Method]:
    """Return the methods of a benchmark: the agents (by default the suite's), controls and score anchors.

    Raises MetarlError for an unknown agent, and for a method without training budget.
    """
    chosen = agents or suite.agents
    if not chosen:
        raise MetarlError(f"the suite {suite.name} names no agents: give --agents")
    optimal = (entry.bayes_optimal for entry in suite.entries if entry.bayes_optimal)
    anchors = (RANDOM, *(entry.oracle for entry in suite.entries), *optimal)
    methods = select_methods(suite.methods, chosen, suite.controls, anchors)
    for method in methods.values():
        if method.scratch:
            _ = method.algorithm  # raises before the first job where it cannot be imported
            continue
        for entry in suite.entries if method.trains and method.of is None else ():
            entry.budget(method)
    return methods


def begin(
    suite: Suite, methods: dict[str, Method], seeds: int, out: str | None,
    distributions: tuple[str, ...] = (), steps: int | None = None,
) -> BenchmarkFolder:  # fmt: skip
    """Make or continue the benchmark's folder, and copy the suite's stored references to it."""
    out = out or f"runs/benchmark-{suite.name}"
    folder = BenchmarkFolder.begin(out, suite, methods, seeds, distributions, steps)
    if suite.reference_file.exists() and not (folder.path / REFERENCES).exists():
        write_atomically(folder.path / REFERENCES, suite.reference_file.read_bytes())
    return folder


COMMAND = Command(
    "benchmark", BenchmarkOptions, lambda options: print(benchmark(options)),
    "train, evaluate and compare agents on a suite: how fast they adapt, with intervals",
)  # fmt: skip
