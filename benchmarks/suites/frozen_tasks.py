"""Frozen tasks: the tasks of a suite's eval sets, drawn once and stored in files."""

from __future__ import annotations

from pathlib import Path

from metarl.benchmarks.suites.suite import Suite
from metarl.errors import MetarlError


def freeze_tasks(suite: Suite) -> list[Path]:
    """Write the tasks of every eval set; returns the paths. MetarlError where a file holds other tasks already."""
    files = []
    for entry in suite.entries:
        for eval_set, spec in entry.eval_sets.items():
            file = suite.task_file(entry, eval_set)
            tasks = entry.distribution.tasks(spec.split, spec.tasks, seed=0)
            if file.exists() and suite.tasks(entry, eval_set) != tasks:
                raise MetarlError(
                    f"{file} holds other tasks than {entry.label} draws now: delete it, and raise the suite's version"
                )
            tasks.save(file)
            files.append(file)
    return files
