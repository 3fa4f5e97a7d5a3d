"""What several folders must agree in to be put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from metarl.benchmarks.job.folder import Folder
from metarl.benchmarks.suites.method import Method
from metarl.benchmarks.suites.suite import Suite
from metarl.errors import MetarlError


def joined(folders: Sequence[Folder]) -> tuple[Suite, dict[str, Method]]:
    """The suite with every distribution that some folder has, and everybody; MetarlError where they contradict."""
    first = folders[0]
    for other in folders[1:]:
        if other.whole.name != first.whole.name:
            raise MetarlError(f"{first.path} is of the suite {first.whole.name}, {other.path} of {other.whole.name}")
        _check_same_tasks(first, other)
    for a, b in product(folders, folders):
        _check_same_budgets(a, b)
    there = {entry.label: entry for folder in folders for entry in folder.suite.entries}
    entries = tuple(there[entry.label] for entry in first.whole.entries if entry.label in there)
    return replace(first.whole, entries=entries), _everybody(folders)


def _check_same_tasks(first: Folder, other: Folder) -> None:
    """MetarlError unless both have the same frozen tasks; it names the first that differ."""
    for label in {**first.plan["hashes"], **other.plan["hashes"]}:
        ours, theirs = (folder.plan["hashes"].get(label, {}) for folder in (first, other))
        for eval_set in {**ours, **theirs}:
            a, b = ours.get(eval_set, "none"), theirs.get(eval_set, "none")
            if a != b:
                raise MetarlError(
                    f"{first.path} and {other.path} have different tasks: {label}, {eval_set}, has hash {a[:12]} in the "
                    f"first and {b[:12]} in the second. Results on different tasks are never put together"
                )


def _check_same_budgets(first: Folder, other: Folder) -> None:
    """MetarlError where somebody has learned for longer in one folder than in the other."""
    theirs = {entry.label: entry for entry in other.suite.entries}
    for entry in first.suite.entries:
        for name, method in first.methods.items() if entry.label in theirs else ():
            if name not in other.methods:
                continue
            a, b = (f.budget(method) if method.trains else 0 for f in (entry, theirs[entry.label]))
            if a != b:
                raise MetarlError(
                    f"{name} learns for {a:,} env steps on {entry.label} in {first.path} and for {b:,} in "
                    f"{other.path}. Results of different budgets are never put together"
                )


def _everybody(folders: Sequence[Folder]) -> dict[str, Method]:
    found: dict[str, Method] = {}
    for folder in folders:
        for name, method in folder.methods.items():
            known = found.setdefault(name, method)
            if (known.settings, known.of, known.deterministic) != (
                method.settings, method.of, method.deterministic,
            ):  # fmt: skip
                raise MetarlError(f"{name} is not the same in {folder.path}: its settings differ; rename one of them")
    return found
