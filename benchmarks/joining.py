"""What several folders must agree in to be put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from metarl.benchmarks.job.folder import Folder
from metarl.benchmarks.suites.entrant import Entrant
from metarl.benchmarks.suites.suite import Suite
from metarl.errors import MetarlError


def joined(folders: Sequence[Folder]) -> tuple[Suite, dict[str, Entrant]]:
    """The suite with every distribution that some folder has, and everybody; MetarlError where they contradict."""
    first = folders[0]
    for other in folders[1:]:
        if other.whole.name != first.whole.name:
            raise MetarlError(f"{first.path} is of the suite {first.whole.name}, {other.path} of {other.whole.name}")
        _check_same_tasks(first, other)
    for a, b in product(folders, folders):
        _check_same_budgets(a, b)
    there = {family.label: family for folder in folders for family in folder.suite.families}
    families = tuple(there[family.label] for family in first.whole.families if family.label in there)
    return replace(first.whole, families=families), _everybody(folders)


def _check_same_tasks(first: Folder, other: Folder) -> None:
    """MetarlError unless both have the same frozen tasks; it names the first that differ."""
    for label in {**first.plan["hashes"], **other.plan["hashes"]}:
        ours, theirs = (folder.plan["hashes"].get(label, {}) for folder in (first, other))
        for panel in {**ours, **theirs}:
            a, b = ours.get(panel, "none"), theirs.get(panel, "none")
            if a != b:
                raise MetarlError(
                    f"{first.path} and {other.path} have different tasks: {label}, {panel}, has hash {a[:12]} in the "
                    f"first and {b[:12]} in the second. Results on different tasks are never put together"
                )


def _check_same_budgets(first: Folder, other: Folder) -> None:
    """MetarlError where somebody has learned for longer in one folder than in the other."""
    theirs = {family.label: family for family in other.suite.families}
    for family in first.suite.families:
        for name, entrant in first.entrants.items() if family.label in theirs else ():
            if name not in other.entrants:
                continue
            a, b = (f.budget(entrant) if entrant.trains else 0 for f in (family, theirs[family.label]))
            if a != b:
                raise MetarlError(
                    f"{name} learns for {a:,} env steps on {family.label} in {first.path} and for {b:,} in "
                    f"{other.path}. Results of different budgets are never put together"
                )


def _everybody(folders: Sequence[Folder]) -> dict[str, Entrant]:
    found: dict[str, Entrant] = {}
    for folder in folders:
        for name, entrant in folder.entrants.items():
            known = found.setdefault(name, entrant)
            if (known.settings, known.of, known.deterministic) != (
                entrant.settings, entrant.of, entrant.deterministic,
            ):  # fmt: skip
                raise MetarlError(f"{name} is not the same in {folder.path}: its settings differ; rename one of them")
    return found
