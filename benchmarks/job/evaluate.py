"""The lifetime runner: an method lives through every task and replicate of an eval set at once.

Any agent of contract 8 will do. Replicate e of task t has the same start states and noise for everybody, and the quota
is exact: K episodes on each of N tasks, E times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from metarl.benchmarks.suites.method import Method
from metarl.benchmarks.suites.suite import SuiteEntry
from metarl.core.agent import Agent
from metarl.errors import MetarlError
from metarl.tasks.task_distribution import TaskDistribution
from metarl.tasks.task_set import TaskSet
from metarl.training import evaluate
from metarl.training.evaluate import EvalResult
from metarl.training.run_dir import Run


def live(
    method: Method, entry: SuiteEntry, eval_set: str, tasks: TaskSet, run: Run | None, replicates: int | None = None
) -> EvalResult:
    """What the method earns on the tasks of an eval set; `run`: the training it lives from, None if nothing was learned.

    Raises MetarlError where a reward or an action is NaN.
    """
    distribution = entry.lived(eval_set)
    replicates = replicates or entry.eval_sets[eval_set].replicates
    env = distribution.make(len(tasks) * replicates, task_visible=method.kind.task_visible)
    try:
        lives = evaluate.evaluate_agent(restore(method, distribution, run), env, tasks, replicates)
    finally:
        env.close()
    if not np.isfinite(lives.reward).all():
        raise MetarlError(f"{method.name} was given rewards that are no numbers on {entry.label}, {eval_set}")
    return lives


def restore(method: Method, distribution: TaskDistribution, run: Run | None) -> Agent:
    """The agent as trained, with what the method changes for the trial."""
    kind = method.kind
    state = run.load_checkpoint()["learner"] if run else {}
    trained = run.config["agent"]["settings"] if run else {}
    settings = kind.settings(**{**_shared(kind.settings, trained), **method.settings})
    env = distribution.make(1, task_visible=kind.task_visible)
    try:
        return kind.restore(env.observation_space, env.action_space, settings, state, method.deterministic)
    except (AttributeError, KeyError, RuntimeError, TypeError) as error:
        raise MetarlError(f"{method.name} cannot live from what {method.owner} has learned: {error}") from error
    finally:
        env.close()


def training_settings(method: Method, entry: SuiteEntry) -> Any:
    """Settings of the method's own training: those tuned, then the method's, then those the suite has for here."""
    given = {**method.settings, **entry.settings.get(method.name, {})}
    return method.kind.make_settings(entry.distribution, given)


def _shared(settings: type, trained: Mapping[str, Any]) -> dict[str, Any]:
    known = {field.name for field in fields(settings)}
    return {name: value for name, value in trained.items() if name in known}
