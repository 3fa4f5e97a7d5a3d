"""`metarl benchmark SUITE`: train what is missing, let everybody live, score, and write the report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from metarl.benchmarks.job.folder import Folder
from metarl.benchmarks.results.load_results import REFERENCES
from metarl.benchmarks.results.references import FLOOR
from metarl.benchmarks.suites import suite as suites
from metarl.benchmarks.suites.method import Method, lineup
from metarl.benchmarks.suites.suite import Suite
from metarl.checks import check_whole
from metarl.cli.command import Command
from metarl.errors import MetarlError
from metarl.training.run_dir import write_atomically


@dataclass(frozen=True)
class BenchmarkOptions:
    """How fast do agents adapt to tasks they have never seen, and is the difference between two of them real?"""

    suite: tyro.conf.Positional[str]
    """quick, games, robots, generalisation, or the path of a suite file of your own"""
    agents: tuple[str, ...] = ()
    """who takes part: names of the suite, of `metarl list`, path/to/file.py:Name; by default those the suite names"""
    distributions: tuple[str, ...] = ()
    """those of the suite that are done; by default all"""
    steps: int | None = None
    """env steps of training for each method, at most; by default what the suite says. With fewer than that the results
    are preliminary, and go together with none of other budgets"""
    seeds: int | None = None
    """training seeds of each agent; by default the suite's. Fewer than 5 give no interval"""
    out: str | None = None
    """where everything is kept; by default runs/benchmark-SUITE. A job that was interrupted is gone on with"""
    device: str = "auto"
    """auto, cpu or cuda"""
    processes: int | None = None
    """trainings at once, of one thread each; by default one for each core, or for each GPU"""

    def __post_init__(self) -> None:
        for name in ("steps", "seeds", "processes"):
            if getattr(self, name) is not None:
                check_whole(self, name, low=1)
        if self.device not in ("auto", "cpu", "cuda"):
            raise MetarlError(f"device must be auto, cpu or cuda, got {self.device!r}")


def benchmark(options: BenchmarkOptions) -> Path:
    """Do the whole job; the path of report.html. What failed is in the report."""
    from metarl.benchmarks.commands.report import write_report
    from metarl.benchmarks.job.schedule import carry_out

    suite = suites.load(options.suite)
    methods, seeds = enter(suite, options.agents), options.seeds or suite.seeds
    folder = begin(suite, methods, seeds, options.out, options.distributions, options.steps)
    console = Console(highlight=False, soft_wrap=True)
    carry_out(folder, options.device, options.processes, lambda line: console.print(line, markup=False))
    return write_report([folder.path], folder.path, console)


def enter(suite: Suite, agents: tuple[str, ...]) -> dict[str, Method]:
    """Those named (the suite's own when none are) and everybody that comes with them."""
    chosen = agents or suite.agents
    if not chosen:
        raise MetarlError(f"the suite {suite.name} names no agents: give --agents")
    anchors = (FLOOR, *(f.reference for f in suite.entries), *(f.ceiling for f in suite.entries if f.ceiling))
    everybody = lineup(suite.methods, chosen, suite.controls, anchors)
    for method in everybody.values():
        if method.scratch:
            _ = method.algorithm  # before anything begins
            continue
        for entry in suite.entries if method.trains and method.of is None else ():
            entry.budget(method)
    return everybody


def begin(
    suite: Suite, methods: dict[str, Method], seeds: int, out: str | None,
    distributions: tuple[str, ...] = (), steps: int | None = None,
) -> Folder:  # fmt: skip
    """The folder of the job, with the suite's stored references beside it."""
    out = out or f"runs/benchmark-{suite.name}"
    folder = Folder.begin(out, suite, methods, seeds, distributions, steps)
    if suite.reference_file.exists() and not (folder.path / REFERENCES).exists():
        write_atomically(folder.path / REFERENCES, suite.reference_file.read_bytes())
    return folder


COMMAND = Command(
    "benchmark", BenchmarkOptions, lambda options: print(benchmark(options)),
    "train, evaluate and compare agents on a suite: how fast do they adapt, and is the difference real?",
)  # fmt: skip
