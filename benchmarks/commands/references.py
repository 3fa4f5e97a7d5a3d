"""`metarl references SUITE`: freeze a suite's tasks, and store the returns of its score anchors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import tyro
from rich.console import Console

from metarl.benchmarks.job.benchmark_folder import BenchmarkFolder
from metarl.benchmarks.results import references
from metarl.benchmarks.results.load_results import load_results
from metarl.benchmarks.results.references import RANDOM
from metarl.benchmarks.results.score_anchors import measure_returns
from metarl.benchmarks.suites import suite as suites
from metarl.benchmarks.suites.frozen_tasks import freeze_tasks
from metarl.benchmarks.suites.method import Method, select_methods
from metarl.benchmarks.suites.suite import Suite, SuiteEntry
from metarl.checks import check_whole
from metarl.cli.command import Command
from metarl.errors import MetarlError, unknown
from metarl.training.run_dir import write_atomically, writing

REPLICATES_FACTOR = 4  # times the suite's replicates, for smaller standard errors


@dataclass(frozen=True)
class ReferencesOptions:
    """Write a suite's frozen tasks to files, train its score anchors, and store their returns.

    Do this once for each version of a suite: scores with different anchors are not comparable.
    """

    suite: tyro.conf.Positional[str]
    """the name of a suite, or the path of a suite file of your own"""
    methods: tuple[str, ...] = ()
    """score anchors to evaluate (random, oracle, ...); by default all. Stored returns of the others are kept"""
    seeds: int = 3
    """trainings of each score anchor, whose mean return is stored"""
    out: str | None = None
    """folder of the trainings; by default runs/references-SUITE"""
    device: str = "auto"
    """auto, cpu or cuda"""
    processes: int | None = None
    """number of trainings that run at the same time, of one thread each; by default one for each core or GPU"""

    def __post_init__(self) -> None:
        check_whole(self, "seeds", low=1)


def run(options: ReferencesOptions) -> None:
    """Freeze the tasks, train and evaluate the score anchors, and store their returns."""
    from metarl.benchmarks.job.schedule import run_jobs

    suite = suites.load(options.suite)
    with writing(suite.folder, "copy the suite's file to a folder of your own"):
        freeze_tasks(suite)
    methods = select_anchors(suite, options.methods)
    out = options.out or f"runs/references-{suite.name}"
    folder = BenchmarkFolder.begin(
        out, replace(suite, entries=tuple(map(_with_more_replicates, suite.entries))), methods, options.seeds
    )
    console = Console(highlight=False, soft_wrap=True)
    failures = run_jobs(folder, options.device, options.processes, lambda line: console.print(line, markup=False))
    if failures:
        raise MetarlError("; ".join(f"{run_key} failed: {reason}" for run_key, reason in failures.items()))
    store(suite, folder.path)
    print(suite.reference_file)


def select_anchors(suite: Suite, names: tuple[str, ...]) -> dict[str, Method]:
    """Return the named score anchors of a suite, or all of them; MetarlError for an unknown name."""
    anchors = ((RANDOM, entry.oracle, entry.bayes_optimal) for entry in suite.entries)
    known = tuple(dict.fromkeys(name for names in anchors for name in names if name))
    for name in names:
        if name not in known:
            raise unknown(f"score anchor of the suite {suite.name}", name, known)
    chosen = names or known
    methods = select_methods(suite.methods, (), chosen, ())
    return {name: methods[name] for name in chosen}


def store(suite: Suite, folder: Path) -> None:
    """Write the returns of the methods in `folder` to the suite's references file, which keeps those of others."""
    results = load_results([folder])
    stored = references.load(suite.reference_file)
    for entry in suite.entries:
        for eval_set in entry.eval_sets:
            old = stored.setdefault(entry.label, {}).setdefault(eval_set, {})
            tasks = results.tasks[entry.label][eval_set]
            kept = {name: returns for name, returns in old.items() if returns.hash == tasks.hash}
            new = {name: measure_returns(results, entry, eval_set, name) for name in results.methods}
            stored[entry.label][eval_set] = kept | {
                name: returns for name, returns in new.items() if returns is not None
            }
    meta = {"suite": suite.name, "suite_version": suite.version}
    suite.reference_file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(suite.reference_file, references.to_file_content(stored, meta))


def _with_more_replicates(entry: SuiteEntry) -> SuiteEntry:
    eval_sets = {
        name: replace(eval_set, replicates=REPLICATES_FACTOR * eval_set.replicates)
        for name, eval_set in entry.eval_sets.items()
    }
    return replace(entry, eval_sets=eval_sets)


COMMAND = Command(
    "references", ReferencesOptions, run, "freeze a suite's tasks, and store the returns of its score anchors"
)
