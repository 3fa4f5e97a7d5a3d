"""Single tasks learned from nothing beside agents that adapt, as plain data: what adaptation saves."""

from __future__ import annotations

from typing import Any

import numpy as np

from metarl.benchmarks.results.references import FLOOR
from metarl.benchmarks.results.results import Results, SeedResults
from metarl.benchmarks.suites.scratch import SCRATCH
from metarl.benchmarks.suites.suite import SuiteEntry


def scratch_data(results: Results, entry: SuiteEntry) -> dict[str, Any] | None:
    """Raw returns on the same tasks, of learning against env steps, of adapting by episode; None if nobody learned."""
    learned = {n: results.lives[entry.label, n, SCRATCH] for n in results.methods if _there(results, entry, n)}
    if not learned:
        return None
    tasks = min(lives.returns.shape[2] for lives in learned.values())
    curves = {name: _curve(lives, _trainings(results, entry, name), tasks) for name, lives in learned.items()}
    adapting = {
        name: _adapting(results.lives[entry.label, name, entry.scored], tasks)
        for name in results.present(entry)
        if not results.methods[name].control
    }
    return {
        "tasks": tasks, "split": entry.eval_sets[entry.scored].split, "learned": curves, "adapting": adapting,
        "levels": {who: _level(results, entry, who, tasks) for who in (FLOOR, entry.reference)},
        "saved": [
            {"agent": agent, "learner": name, "experience": of["x"][-1], "return": of["mean"][-1],
             "env_steps": reached(curve["x"], curve["mean"], of["mean"][-1])}
            for agent, of in adapting.items() for name, curve in curves.items()
        ],
    }  # fmt: skip


def _curve(lives: SeedResults, trainings: list[dict[str, Any]], tasks: int) -> dict[str, Any]:
    """Returns at each test; seconds are of one seed's training, all tasks together."""
    returns = lives.returns[:, :, :tasks]  # [S, M, N, E]
    return {
        "x": trainings[0]["marks"], "mean": returns.mean((0, 2, 3)).tolist(), "tasks": returns.mean((0, 3)).T.tolist(),
        "seeds": len(lives.seeds), "seconds": float(np.mean([training["seconds"] for training in trainings])),
    }  # fmt: skip


def reached(env_steps: list[int], returns: list[float], level: float) -> int | None:
    """Env steps at the first test whose return is at least `level`; None if there is none."""
    return next((x for x, y in zip(env_steps, returns, strict=True) if y >= level), None)


def _adapting(lives: SeedResults, tasks: int) -> dict[str, Any]:
    """Return of each episode, at the experience that there is by its end, means over seeds, tasks and replicates."""
    lived = np.cumsum(lives.steps[:, :, :tasks].mean((0, 2, 3)))
    return {"x": lived.tolist(), "mean": lives.returns[:, :, :tasks].mean((0, 2, 3)).tolist()}


def _level(results: Results, entry: SuiteEntry, who: str, tasks: int) -> float | None:
    """Mean return of somebody who does not learn on these tasks."""
    lives = results.lives.get((entry.label, who, entry.scored))
    return None if lives is None else float(lives.returns[:, :, :tasks].mean())


def _there(results: Results, entry: SuiteEntry, name: str) -> bool:
    return (entry.label, name, SCRATCH) in results.lives


def _trainings(results: Results, entry: SuiteEntry, name: str) -> list[dict[str, Any]]:
    return [m["training"] for c, m in results.metas.items() if (c.entry, c.method) == (entry.label, name)]
