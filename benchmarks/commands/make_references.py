"""`metarl references SUITE`: freeze a suite's tasks, and compute once what its scale ends at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import tyro
from rich.console import Console

from metarl.benchmarks.job.folder import Folder
from metarl.benchmarks.results import references
from metarl.benchmarks.results.load_results import collect
from metarl.benchmarks.results.references import FLOOR
from metarl.benchmarks.results.score_anchors import measured
from metarl.benchmarks.suites import suite as suites
from metarl.benchmarks.suites.method import Method, lineup
from metarl.benchmarks.suites.suite import Suite, SuiteEntry
from metarl.checks import check_whole
from metarl.cli.command import Command
from metarl.errors import MetarlError, unknown
from metarl.training.run_dir import write_atomically, writing

MORE = 4  # times the suite's replicates: what everybody is measured by is measured better


@dataclass(frozen=True)
class ReferencesOptions:
    """Freeze tasks into files beside the suite's, train its references, and store what they and random actions earn.

    Do this once for a version of a suite: scores of different references do not compare.
    """

    suite: tyro.conf.Positional[str]
    """the name of a suite, or the path of a suite file of your own"""
    who: tuple[str, ...] = ()
    """which references, of those that the suite measures by (random, oracle, ...); by default all. What is stored of
    the others stays"""
    seeds: int = 3
    """trainings of each reference; their mean is what counts"""
    out: str | None = None
    """where trainings are kept; by default runs/references-SUITE"""
    device: str = "auto"
    """auto, cpu or cuda"""
    processes: int | None = None
    """trainings at once, of one thread each; by default one for each core, or for each GPU"""

    def __post_init__(self) -> None:
        check_whole(self, "seeds", low=1)


def run(options: ReferencesOptions) -> None:
    """Freeze, train, live, store."""
    from metarl.benchmarks.job.schedule import carry_out

    suite = suites.load(options.suite)
    with writing(suite.folder, "copy the suite's file to a folder of yours"):
        freeze(suite)
    methods = needed(suite, options.who)
    out = options.out or f"runs/references-{suite.name}"
    folder = Folder.begin(out, replace(suite, entries=tuple(map(_better, suite.entries))), methods, options.seeds)
    console = Console(highlight=False, soft_wrap=True)
    failures = carry_out(folder, options.device, options.processes, lambda line: console.print(line, markup=False))
    if failures:
        raise MetarlError("; ".join(f"{run_key} failed: {reason}" for run_key, reason in failures.items()))
    store(suite, folder.path)
    print(suite.reference_file)


def freeze(suite: Suite) -> list[Path]:
    """Write every eval set's tasks; files that are there must hold what is drawn, or the suite needs a new name."""
    files = []
    for entry in suite.entries:
        for eval_set, choice in entry.eval_sets.items():
            file = suite.task_file(entry, eval_set)
            tasks = entry.distribution.tasks(choice.split, choice.tasks, seed=0)
            if file.exists() and suite.tasks(entry, eval_set) != tasks:
                raise MetarlError(
                    f"{file} holds other tasks than {entry.label} draws now: delete it, and raise the suite's version"
                )
            tasks.save(file)
            files.append(file)
    return files


def needed(suite: Suite, who: tuple[str, ...]) -> dict[str, Method]:
    """Those named, or all that the suite is measured by."""
    anchors = ((FLOOR, entry.reference, entry.ceiling) for entry in suite.entries)
    known = tuple(dict.fromkeys(name for of in anchors for name in of if name))
    for name in who:
        if name not in known:
            raise unknown(f"reference of the suite {suite.name}", name, known)
    chosen = who or known
    everybody = lineup(suite.methods, (), chosen, ())
    return {name: everybody[name] for name in chosen}


def store(suite: Suite, folder: Path) -> None:
    """Measure what was lived in `folder`, and write it beside the suite, with what is stored of others there."""
    results = collect([folder])
    stored = references.load(suite.reference_file)
    for entry in suite.entries:
        for eval_set in entry.eval_sets:
            here = stored.setdefault(entry.label, {}).setdefault(eval_set, {})
            tasks = results.tasks[entry.label][eval_set]
            fitting = {who: earned for who, earned in here.items() if earned.hash == tasks.hash}
            now = {who: measured(results, entry, eval_set, who) for who in results.methods}
            stored[entry.label][eval_set] = fitting | {who: earned for who, earned in now.items() if earned is not None}
    meta = {"suite": suite.name, "suite_version": suite.version}
    suite.reference_file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(suite.reference_file, references.to_file_content(stored, meta))


def _better(entry: SuiteEntry) -> SuiteEntry:
    eval_sets = {
        name: replace(eval_set, replicates=MORE * eval_set.replicates) for name, eval_set in entry.eval_sets.items()
    }
    return replace(entry, eval_sets=eval_sets)


COMMAND = Command(
    "references", ReferencesOptions, run, "freeze a suite's tasks and compute what its scores are scaled by"
)
