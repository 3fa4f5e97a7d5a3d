"""Learning from scratch beside adaptation, on the same tasks, as plain data."""

from __future__ import annotations

from typing import Any

import numpy as np

from metarl.benchmarks.results.references import RANDOM
from metarl.benchmarks.results.results import Results, SeedResults
from metarl.benchmarks.suites.scratch_settings import SCRATCH
from metarl.benchmarks.suites.suite import SuiteEntry


def scratch_data(results: Results, entry: SuiteEntry) -> dict[str, Any] | None:
    """Return raw returns on the same tasks: over env steps for methods from scratch, by episode for agents that adapt.

    None where no method has learned from scratch.
    """
    learned = {
        name: results.evals[entry.label, name, SCRATCH]
        for name in results.methods
        if (entry.label, name, SCRATCH) in results.evals
    }
    if not learned:
        return None
    tasks = min(result.returns.shape[2] for result in learned.values())
    curves = {name: _curve(result, _trainings(results, entry, name), tasks) for name, result in learned.items()}
    adapting = {
        name: _adapting(results.evals[entry.label, name, entry.scored], tasks)
        for name in results.present(entry)
        if not results.methods[name].control
    }
    return {
        "tasks": tasks, "split": entry.eval_sets[entry.scored].split, "learned": curves, "adapting": adapting,
        "levels": {name: _level(results, entry, name, tasks) for name in (RANDOM, entry.oracle)},
        "savings": [
            {"agent": agent, "learner": name, "experience": of["x"][-1], "return": of["mean"][-1],
             "env_steps": steps_to_return(curve["x"], curve["mean"], of["mean"][-1])}
            for agent, of in adapting.items() for name, curve in curves.items()
        ],
    }  # fmt: skip


def _curve(result: SeedResults, trainings: list[dict[str, Any]], tasks: int) -> dict[str, Any]:
    """Return the learning curve; seconds are those of one seed's training on all tasks."""
    returns = result.returns[:, :, :tasks]  # [S, M, N, E]
    return {
        "x": trainings[0]["marks"], "mean": returns.mean((0, 2, 3)).tolist(), "tasks": returns.mean((0, 3)).T.tolist(),
        "seeds": len(result.seeds), "seconds": float(np.mean([training["seconds"] for training in trainings])),
    }  # fmt: skip


def steps_to_return(env_steps: list[int], returns: list[float], level: float) -> int | None:
    """Return the env steps at the first test whose return is at least `level`; None if there is none."""
    return next((x for x, y in zip(env_steps, returns, strict=True) if y >= level), None)


def _adapting(result: SeedResults, tasks: int) -> dict[str, Any]:
    """Return the mean return of each episode, and the env steps taken by its end."""
    experience = np.cumsum(result.steps[:, :, :tasks].mean((0, 2, 3)))
    return {"x": experience.tolist(), "mean": result.returns[:, :, :tasks].mean((0, 2, 3)).tolist()}


def _level(results: Results, entry: SuiteEntry, name: str, tasks: int) -> float | None:
    """Return the mean return of a score anchor; None where it was not evaluated."""
    result = results.evals.get((entry.label, name, entry.scored))
    return None if result is None else float(result.returns[:, :, :tasks].mean())


def _trainings(results: Results, entry: SuiteEntry, name: str) -> list[dict[str, Any]]:
    return [m["training"] for k, m in results.metas.items() if (k.entry, k.method) == (entry.label, name)]
