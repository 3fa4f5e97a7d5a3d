"""The lifetime runner: an entrant lives through every task and replicate of a panel at once.

Any agent of contract 8 will do. Replicate e of task t has the same start states and noise for everybody, and the quota
is exact: K episodes on each of N tasks, E times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from metarl import api, evaluation
from metarl.agent import Agent
from metarl.benchmarks.suites.entrant import Entrant
from metarl.benchmarks.suites.suite import Family
from metarl.distribution import TaskDistribution
from metarl.errors import MetarlError
from metarl.evaluation import Lifetimes
from metarl.run import Run
from metarl.tasks import TaskSet


def live(
    entrant: Entrant, family: Family, panel: str, tasks: TaskSet, run: Run | None, replicates: int | None = None
) -> Lifetimes:
    """What the entrant earns on the tasks of a panel; `run`: the training it lives from, None if nothing was learned.

    Raises MetarlError where a reward or an action is NaN.
    """
    distribution = family.lived(panel)
    replicates = replicates or family.panels[panel].replicates
    env = distribution.make(len(tasks) * replicates, task_visible=entrant.kind.task_visible)
    try:
        lives = evaluation.live(restore(entrant, distribution, run), env, tasks, replicates)
    finally:
        env.close()
    if not np.isfinite(lives.reward).all():
        raise MetarlError(f"{entrant.name} was given rewards that are no numbers on {family.label}, {panel}")
    return lives


def restore(entrant: Entrant, distribution: TaskDistribution, run: Run | None) -> Agent:
    """The agent as trained, with what the entrant changes for the trial."""
    kind = entrant.kind
    state = run.load_checkpoint()["learner"] if run else {}
    trained = run.config["agent"]["settings"] if run else {}
    settings = kind.settings(**{**_shared(kind.settings, trained), **entrant.settings})
    env = distribution.make(1, task_visible=kind.task_visible)
    try:
        return kind.restore(env.observation_space, env.action_space, settings, state, entrant.deterministic)
    except (AttributeError, KeyError, RuntimeError, TypeError) as error:
        raise MetarlError(f"{entrant.name} cannot live from what {entrant.owner} has learned: {error}") from error
    finally:
        env.close()


def training_settings(entrant: Entrant, family: Family) -> Any:
    """Settings of the entrant's own training: those tuned, then the entrant's, then those the suite has for here."""
    given = {**entrant.settings, **family.settings.get(entrant.name, {})}
    return api.make_settings(entrant.kind, family.distribution, given)


def _shared(settings: type, trained: Mapping[str, Any]) -> dict[str, Any]:
    known = {field.name for field in fields(settings)}
    return {name: value for name, value in trained.items() if name in known}
