"""Single tasks learned from nothing beside agents that adapt, as plain data: what adaptation saves."""

from __future__ import annotations

from typing import Any

import numpy as np

from metarl.benchmarks.references import FLOOR
from metarl.benchmarks.results import Lives, Results
from metarl.benchmarks.suites.scratch import SCRATCH
from metarl.benchmarks.suites.suite import Family


def scratch_data(results: Results, family: Family) -> dict[str, Any] | None:
    """Raw returns on the same tasks, of learning against env steps, of adapting by episode; None if nobody learned."""
    learned = {n: results.lives[family.label, n, SCRATCH] for n in results.entrants if _there(results, family, n)}
    if not learned:
        return None
    tasks = min(lives.returns.shape[2] for lives in learned.values())
    curves = {name: _curve(lives, _trainings(results, family, name), tasks) for name, lives in learned.items()}
    adapting = {
        name: _adapting(results.lives[family.label, name, family.scored], tasks)
        for name in results.present(family)
        if not results.entrants[name].control
    }
    return {
        "tasks": tasks, "split": family.panels[family.scored].split, "learned": curves, "adapting": adapting,
        "levels": {who: _level(results, family, who, tasks) for who in (FLOOR, family.reference)},
        "saved": [
            {"agent": agent, "learner": name, "experience": of["x"][-1], "return": of["mean"][-1],
             "env_steps": reached(curve["x"], curve["mean"], of["mean"][-1])}
            for agent, of in adapting.items() for name, curve in curves.items()
        ],
    }  # fmt: skip


def _curve(lives: Lives, trainings: list[dict[str, Any]], tasks: int) -> dict[str, Any]:
    """Returns at each test; seconds are of one seed's training, all tasks together."""
    returns = lives.returns[:, :, :tasks]  # [S, M, N, E]
    return {
        "x": trainings[0]["marks"], "mean": returns.mean((0, 2, 3)).tolist(), "tasks": returns.mean((0, 3)).T.tolist(),
        "seeds": len(lives.seeds), "seconds": float(np.mean([training["seconds"] for training in trainings])),
    }  # fmt: skip


def reached(env_steps: list[int], returns: list[float], level: float) -> int | None:
    """Env steps at the first test whose return is at least `level`; None if there is none."""
    return next((x for x, y in zip(env_steps, returns, strict=True) if y >= level), None)


def _adapting(lives: Lives, tasks: int) -> dict[str, Any]:
    """Return of each episode, at the experience that there is by its end, means over seeds, tasks and replicates."""
    lived = np.cumsum(lives.steps[:, :, :tasks].mean((0, 2, 3)))
    return {"x": lived.tolist(), "mean": lives.returns[:, :, :tasks].mean((0, 2, 3)).tolist()}


def _level(results: Results, family: Family, who: str, tasks: int) -> float | None:
    """Mean return of somebody who does not learn on these tasks."""
    lives = results.lives.get((family.label, who, family.scored))
    return None if lives is None else float(lives.returns[:, :, :tasks].mean())


def _there(results: Results, family: Family, name: str) -> bool:
    return (family.label, name, SCRATCH) in results.lives


def _trainings(results: Results, family: Family, name: str) -> list[dict[str, Any]]:
    return [m["training"] for c, m in results.metas.items() if (c.family, c.entrant) == (family.label, name)]
