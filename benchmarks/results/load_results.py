"""Reading the folders of a suite and putting them together; what does not belong together is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metarl.benchmarks.job.folder import Folder, RunKey
from metarl.benchmarks.results import references, score_anchors
from metarl.benchmarks.results.merge import joined
from metarl.benchmarks.results.results import Results, SeedResults
from metarl.errors import MetarlError
from metarl.training.eval_file import SavedEval, read
from metarl.training.run_dir import EVAL

REFERENCES = "references.json"  # in a benchmark's folder: those it was begun with
CURE = "delete it and give the same command again: this cell alone is lived through anew"


def collect(paths: Sequence[str | Path]) -> Results:
    """All results of some folders of one suite; MetarlError where they contradict each other."""
    folders = [Folder.open(path) for path in paths]
    first, warnings = folders[0], []
    for other in folders[1:]:
        if other.plan["suite"] != first.plan["suite"]:
            warnings.append(f"{other.path} was made with other sizes or settings of the suite than {first.path}")
    suite, methods = joined(folders)
    entries = suite.entries
    tasks = {f.label: {eval_set: first.tasks(f, eval_set) for eval_set in f.eval_sets} for f in entries}
    results = Results(suite, first.whole, methods, tasks, {}, {}, {}, [], warnings=warnings)
    results.warnings += _fingerprints(_read_cells(folders, results))
    results.sources = [_source(folder) for folder in folders]
    stored = [references.load(folder.path / REFERENCES) for folder in folders]
    for entry in entries:
        found = score_anchors.find(results, entry, stored)
        if found:
            results.anchors[entry.label] = found
    return results


def _read_cells(folders: Sequence[Folder], results: Results) -> dict[str, set[str]]:
    """Fill in lives, metas, failures and what is unfinished; the worlds that each distribution was lived in."""
    worlds: dict[str, set[str]] = {}
    parts: dict[tuple[str, str, str], dict[int, SeedResults]] = {}
    missing: dict[RunKey, str | None] = {}
    for folder in folders:
        for run_key in folder.run_keys():
            if not folder.finished(run_key):
                missing[run_key] = missing.get(run_key) or folder.failure(run_key)
                continue
            found = checked(folder, run_key)
            for eval_set, lived in found.eval_sets.items():
                seeds = parts.setdefault((run_key.entry, run_key.method, eval_set), {})
                lives = SeedResults.of(run_key.seed, lived)
                if run_key.seed in seeds and not np.array_equal(seeds[run_key.seed].returns, lives.returns):
                    raise MetarlError(f"there are two different results for {run_key}: leave out one of the folders")
                seeds[run_key.seed] = lives
            results.metas[run_key] = found.meta
            worlds.setdefault(run_key.entry, set()).add(json.dumps(found.meta["fingerprint"], sort_keys=True))
    results.lives |= {key: SeedResults.concatenate([*seeds.values()]) for key, seeds in parts.items()}
    for run_key, why in missing.items():
        if run_key not in results.metas:
            if why is None:
                results.unfinished.append(run_key)
            else:
                results.failures[run_key] = why
    return worlds


class RunResults(NamedTuple):
    """What a cell's file holds."""

    eval_sets: Mapping[str, SavedEval]
    meta: Mapping[str, Any]


def checked(folder: Folder, run_key: RunKey) -> RunResults:
    """The cell's file; MetarlError unless it is of this cell and was lived on the plan's tasks."""
    path = folder.at(run_key) / EVAL
    found = read(path, CURE)
    if "method" not in found.meta:
        raise MetarlError(f"{path} is not of a benchmark but of `metarl evaluate`: {CURE}")
    who = RunKey(found.meta.get("distribution", ""), found.meta.get("method", ""), found.meta.get("seed", -1))
    if who != run_key:
        raise MetarlError(f"{path} is of {who}, not of {run_key}: put it back where it belongs, or delete it")
    lives = {
        eval_set: agents[run_key.method] for eval_set, agents in found.eval_sets.items() if run_key.method in agents
    }
    entry = next(entry for entry in folder.suite.entries if entry.label == run_key.entry)
    for eval_set in entry.eval_sets_of(folder.methods[run_key.method]):
        expected = folder.hash(entry, eval_set)
        there = lives[eval_set].hash if eval_set in lives else "none"
        if there != expected:
            raise MetarlError(
                f"{path} was lived on other tasks: {run_key.entry}, {eval_set}, has hash {there[:12]}, the plan says "
                f"{expected[:12]}. Delete it, and give the command of the benchmark again"
            )
    return RunResults(lives, found.meta)


def _fingerprints(worlds: Mapping[str, set[str]]) -> list[str]:
    """A warning for each distribution whose world was not the same everywhere."""
    return [
        f"{label}: these results come from {len(prints)} different worlds: {'; '.join(sorted(prints))}"
        for label, prints in worlds.items()
        if len(prints) > 1
    ]


def _source(folder: Folder) -> dict[str, Any]:
    return {"folder": str(folder.path), "command": folder.plan["command"]}
