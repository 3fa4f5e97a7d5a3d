"""Evaluation of a run on held-out tasks, with its controls and other agents for comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metarl import registry
from metarl.core.agent import Agent, AgentType
from metarl.core.environment import Environment
from metarl.core.trials import Trials
from metarl.errors import MetarlError
from metarl.training import eval_file, plots
from metarl.training.evaluate import EvalResult, evaluate_agent
from metarl.training.load_agent import LoadedRun
from metarl.training.run_dir import EVAL, PICTURE, writing


def evaluate_run(
    loaded: LoadedRun,
    split: str | None,
    tasks: int,
    replicates: int,
    against: str | Sequence[str],
    deterministic: bool,
    out: str | Path | None,
    episodes: int | None,
    settings: Mapping[str, Any],
) -> dict[str, dict[str, EvalResult]]:
    """See `metarl.evaluate`."""
    distribution = loaded.distribution
    episodes = distribution.episodes if episodes is None else episodes
    for name, value in (("tasks", tasks), ("replicates", replicates), ("episodes", episodes)):
        if not isinstance(value, int) or value < 1:
            raise MetarlError(f"{name} must be a whole number of at least 1, got {value!r}")
    splits = [distribution.require(split)] if split else [s for s in distribution.splits if s != "train"] or ["train"]
    agents = {loaded.agent_type.name: (loaded.agent(deterministic, **settings), loaded.agent_type.task_visible)}
    for name in [against] if isinstance(against, str) else against:
        label, agent, task_visible = _agent_to_compare(loaded, name, deterministic, settings)
        if label in agents:
            raise MetarlError(f"there are two named {label!r} to compare: leave out {name!r}, or rename its directory")
        agents[label] = (agent, task_visible)
    folder = Path(out) if out else loaded.path
    with writing(folder, "give another --out"):
        folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict[str, EvalResult]] = {}
    for name in splits:
        frozen = distribution.tasks(name, tasks, seed=0)
        results[name] = {}
        for label, (agent, task_visible) in agents.items():
            env = Trials(Environment(distribution, tasks * replicates, task_visible=task_visible), episodes)
            results[name][label] = evaluate_agent(agent, env, frozen, replicates)
            env.close()
    with writing(folder, "give another --out"):
        meta = {"agent": loaded.agent_type.name, "distribution": distribution.name, "deterministic": deterministic}
        eval_file.write(folder / EVAL, results, meta)
        note = "" if distribution.splits != ("train",) else " (its training tasks: no generalisation)"
        title = f"{loaded.agent_type.name} on {distribution.name}{note}"
        plots.adaptation_curve(folder / PICTURE, title, results)
    return results


def _agent_to_compare(
    loaded: LoadedRun, name: str, deterministic: bool, settings: Mapping[str, Any]
) -> tuple[str, Agent, bool]:
    """Return (label, agent, task_visible) of a control, of another run, or of an agent that needs no training."""
    if control := loaded.agent_type.controls.get(name):
        agent = loaded.agent(deterministic, **{**settings, **control.settings})
        return f"{loaded.agent_type.name}, {control.about}", agent, loaded.agent_type.task_visible
    if Path(name).is_dir():
        other = LoadedRun(name)
        if other.data != loaded.data:
            names = f"{other.distribution.name}, not on {loaded.distribution.name}"
            raise MetarlError(f"{name} was trained on {names}: compare runs on the same distribution")
        label = other.agent_type.name if other.agent_type.name != loaded.agent_type.name else other.path.name
        return label, other.agent(deterministic), other.agent_type.task_visible
    agent_type: AgentType = registry.find("agent", name)
    if agent_type.learner is not None:
        raise MetarlError(f"the agent {name!r} must be trained first: give its run directory")
    observation_space, action_space = loaded.spaces()
    defaults = agent_type.make_settings(loaded.distribution, {})
    agent = agent_type.restore(observation_space, action_space, defaults, {}, deterministic)
    return name, agent, agent_type.task_visible
