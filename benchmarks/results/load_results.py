"""Reading of the folders of a suite into one `Results`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from metarl.benchmarks.job.benchmark_folder import BenchmarkFolder, RunKey
from metarl.benchmarks.results import references, score_anchors
from metarl.benchmarks.results.merge import merge_plans
from metarl.benchmarks.results.results import Results, SeedResults
from metarl.errors import MetarlError
from metarl.training.eval_file import SavedEval, read
from metarl.training.run_dir import EVAL

REFERENCES = "references.json"  # in a benchmark's folder: the stored references at the time it was begun
CURE = "delete it and give the command of the benchmark again, which repeats this evaluation alone"


def load_results(paths: Sequence[str | Path]) -> Results:
    """Return all results of one or several folders of a suite; MetarlError where they contradict each other."""
    folders = [BenchmarkFolder.open(path) for path in paths]
    first, warnings = folders[0], []
    for other in folders[1:]:
        if other.plan["suite"] != first.plan["suite"]:
            warnings.append(f"{other.path} was made with other sizes or settings of the suite than {first.path}")
    suite, methods = merge_plans(folders)
    tasks = {
        entry.label: {eval_set: first.tasks(entry, eval_set) for eval_set in entry.eval_sets} for entry in suite.entries
    }
    results = Results(suite, first.full_suite, methods, tasks, {}, {}, {}, [], warnings=warnings)
    results.warnings += _world_warnings(_read_evals(folders, results))
    results.sources = [_source(folder) for folder in folders]
    stored = [references.load(folder.path / REFERENCES) for folder in folders]
    for entry in suite.entries:
        if anchors := score_anchors.find_anchors(results, entry, stored):
            results.anchors[entry.label] = anchors
    return results


def _read_evals(folders: Sequence[BenchmarkFolder], results: Results) -> dict[str, set[str]]:
    """Fill in evals, metas, failures and unfinished; returns the worlds of each distribution's results."""
    worlds: dict[str, set[str]] = {}
    parts: dict[tuple[str, str, str], dict[int, SeedResults]] = {}
    missing: dict[RunKey, str | None] = {}
    for folder in folders:
        for run_key in folder.run_keys():
            if not folder.finished(run_key):
                missing[run_key] = missing.get(run_key) or folder.failure(run_key)
                continue
            evaluation = load_eval(folder, run_key)
            for eval_set, saved in evaluation.eval_sets.items():
                seeds = parts.setdefault((run_key.entry, run_key.method, eval_set), {})
                result = SeedResults.of(run_key.seed, saved)
                if run_key.seed in seeds and not np.array_equal(seeds[run_key.seed].returns, result.returns):
                    raise MetarlError(f"there are two different results for {run_key}: leave out one of the folders")
                seeds[run_key.seed] = result
            results.metas[run_key] = evaluation.meta
            worlds.setdefault(run_key.entry, set()).add(json.dumps(evaluation.meta["fingerprint"], sort_keys=True))
    results.evals |= {key: SeedResults.concatenate([*seeds.values()]) for key, seeds in parts.items()}
    for run_key, reason in missing.items():
        if run_key not in results.metas:
            if reason is None:
                results.unfinished.append(run_key)
            else:
                results.failures[run_key] = reason
    return worlds


class RunEval(NamedTuple):
    """The evaluation of one run key."""

    eval_sets: Mapping[str, SavedEval]
    meta: Mapping[str, Any]


def load_eval(folder: BenchmarkFolder, run_key: RunKey) -> RunEval:
    """Read the eval file of a run key; MetarlError where its run key or its tasks are not those of the plan."""
    path = folder.at(run_key) / EVAL
    file = read(path, CURE)
    if "method" not in file.meta:
        raise MetarlError(f"{path} is not of a benchmark but of `metarl evaluate`: {CURE}")
    actual = RunKey(file.meta.get("distribution", ""), file.meta.get("method", ""), file.meta.get("seed", -1))
    if actual != run_key:
        raise MetarlError(f"{path} is of {actual}, not of {run_key}: move it to its own folder, or delete it")
    eval_sets = {
        eval_set: agents[run_key.method] for eval_set, agents in file.eval_sets.items() if run_key.method in agents
    }
    entry = folder.suite.entry(run_key.entry)
    for eval_set in entry.eval_sets_of(folder.methods[run_key.method]):
        planned = folder.hash(entry, eval_set)
        evaluated = eval_sets[eval_set].hash if eval_set in eval_sets else "none"
        if evaluated != planned:
            raise MetarlError(
                f"{path} was evaluated on other tasks: {run_key.entry}, {eval_set}, has hash {evaluated[:12]}, the "
                f"plan has {planned[:12]}: {CURE}"
            )
    return RunEval(eval_sets, file.meta)


def _world_warnings(worlds: Mapping[str, set[str]]) -> list[str]:
    """Return a warning for each distribution whose results come from different versions of its world."""
    return [
        f"{label}: these results come from {len(prints)} different worlds: {'; '.join(sorted(prints))}"
        for label, prints in worlds.items()
        if len(prints) > 1
    ]


def _source(folder: BenchmarkFolder) -> dict[str, Any]:
    return {"folder": str(folder.path), "command": folder.plan["command"]}
