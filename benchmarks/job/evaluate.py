"""Evaluation of a method: one trial on every task and replicate of an eval set, all in one batch.

Replicate e of task t has the same start states and noise for every method. Each method plays exactly K episodes on each
of N tasks, E times.
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


def evaluate_method(
    method: Method, entry: SuiteEntry, eval_set: str, tasks: TaskSet, run: Run | None, replicates: int | None = None
) -> EvalResult:
    """Evaluate a method on the tasks of an eval set.

    run: the training whose weights it uses, None for a method without training. replicates: by default the eval set's.
    Raises MetarlError where an action is NaN or a reward is not finite.
    """
    distribution = entry.distribution_of(eval_set)
    replicates = replicates or entry.eval_sets[eval_set].replicates
    env = distribution.make(len(tasks) * replicates, task_visible=method.agent_type.task_visible)
    try:
        result = evaluate.evaluate_agent(restore(method, distribution, run), env, tasks, replicates)
    finally:
        env.close()
    if not np.isfinite(result.reward).all():
        raise MetarlError(
            f"{method.name}: rewards on {entry.label}, {eval_set}, are not finite: check the world's reward"
        )
    return result


def restore(method: Method, distribution: TaskDistribution, run: Run | None) -> Agent:
    """Return the trained agent, with the settings that the method changes.

    Raises MetarlError where the agent cannot use the checkpoint.
    """
    agent_type = method.agent_type
    state = run.load_checkpoint()["learner"] if run else {}
    trained = run.config["agent"]["settings"] if run else {}
    settings = agent_type.settings(**{**_shared(agent_type.settings, trained), **method.settings})
    env = distribution.make(1, task_visible=agent_type.task_visible)
    try:
        return agent_type.restore(env.observation_space, env.action_space, settings, state, method.deterministic)
    except (AttributeError, KeyError, RuntimeError, TypeError) as error:
        raise MetarlError(f"{method.name} cannot use the weights of {method.owner}: {error}") from error
    finally:
        env.close()


def training_settings(method: Method, entry: SuiteEntry) -> Any:
    """Return the settings of a method's training: the tuned ones, then the method's, then those of the suite entry."""
    given = {**method.settings, **entry.settings.get(method.name, {})}
    return method.agent_type.make_settings(entry.distribution, given)


def _shared(settings: type, trained: Mapping[str, Any]) -> dict[str, Any]:
    """Return the trained settings that the settings class has a field for."""
    known = {field.name for field in fields(settings)}
    return {name: value for name, value in trained.items() if name in known}
