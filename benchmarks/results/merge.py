"""Merging of the plans of several folders, with checks that their results can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from metarl.benchmarks.job.benchmark_folder import BenchmarkFolder
from metarl.benchmarks.suites.method import Method
from metarl.benchmarks.suites.suite import Suite
from metarl.errors import MetarlError


def merge_plans(folders: Sequence[BenchmarkFolder]) -> tuple[Suite, dict[str, Method]]:
    """Return the suite with the distributions of all folders, and the methods of all folders.

    Raises MetarlError where the folders differ in suite, tasks, training budgets or a method's settings.
    """
    first = folders[0]
    for other in folders[1:]:
        if other.full_suite.name != first.full_suite.name:
            raise MetarlError(
                f"{first.path} is of the suite {first.full_suite.name}, {other.path} of {other.full_suite.name}"
            )
        _check_same_tasks(first, other)
    for a, b in product(folders, folders):
        _check_same_budgets(a, b)
    by_label = {entry.label: entry for folder in folders for entry in folder.suite.entries}
    entries = tuple(by_label[entry.label] for entry in first.full_suite.entries if entry.label in by_label)
    return replace(first.full_suite, entries=entries), _merge_methods(folders)


def _check_same_tasks(first: BenchmarkFolder, other: BenchmarkFolder) -> None:
    """Raise MetarlError, with the first eval set that differs, unless both have the same frozen tasks."""
    for label in {**first.plan["hashes"], **other.plan["hashes"]}:
        ours, theirs = (folder.plan["hashes"].get(label, {}) for folder in (first, other))
        for eval_set in {**ours, **theirs}:
            a, b = ours.get(eval_set, "none"), theirs.get(eval_set, "none")
            if a != b:
                raise MetarlError(
                    f"{first.path} and {other.path} have different tasks: {label}, {eval_set}, has hash {a[:12]} in "
                    f"the first and {b[:12]} in the second. Results on different tasks cannot be merged"
                )


def _check_same_budgets(first: BenchmarkFolder, other: BenchmarkFolder) -> None:
    """Raise MetarlError where a method is trained for longer in one folder than in the other."""
    by_label = {entry.label: entry for entry in other.suite.entries}
    for entry in first.suite.entries:
        for name, method in first.methods.items() if entry.label in by_label else ():
            if name not in other.methods:
                continue
            a, b = (e.budget(method) if method.trains else 0 for e in (entry, by_label[entry.label]))
            if a != b:
                raise MetarlError(
                    f"{name} learns for {a:,} env steps on {entry.label} in {first.path} and for {b:,} in "
                    f"{other.path}. Results of different budgets cannot be merged"
                )


def _merge_methods(folders: Sequence[BenchmarkFolder]) -> dict[str, Method]:
    """Return the methods of all folders; MetarlError where two of one name differ."""
    methods: dict[str, Method] = {}
    for folder in folders:
        for name, method in folder.methods.items():
            known = methods.setdefault(name, method)
            if (known.settings, known.of, known.deterministic) != (
                method.settings, method.of, method.deterministic,
            ):  # fmt: skip
                raise MetarlError(f"{name} is not the same in {folder.path}: its settings differ; rename one of them")
    return methods
