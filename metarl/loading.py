"""Finished runs: the trained agent back from its directory, and its evaluation on frozen tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym

from metarl import evaluation, plots, record, registry
from metarl.agent import Agent, AgentType
from metarl.distribution import TaskDistribution
from metarl.environment import Environment
from metarl.errors import MetarlError
from metarl.evaluation import Lifetimes
from metarl.run import CONFIG, EVAL, PICTURE, Run, writing
from metarl.trials import Trials


class LoadedRun:
    """A run directory, its agent and its distribution."""

    def __init__(self, path: str | Path) -> None:
        self.run = Run.open(path)
        self.path = self.run.path
        config = self.run.config
        try:
            agent, self.family = config["agent"], dict(config["distribution"])
            self.kind: AgentType = registry.find("agent", agent["source"] or agent["name"])
            self.distribution = _distribution(self.family.pop("source"), self.family)
            self.settings = self.kind.settings(**agent["settings"])
        except MetarlError as error:
            raise MetarlError(f"the run in {self.path} cannot be loaded: {error}") from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            what = f"{type(error).__name__}: {error}"
            raise MetarlError(f"{self.path / CONFIG} is damaged or of another version of metarl ({what})") from error

    def agent(self, deterministic: bool = True, **changed: Any) -> Agent:
        """The agent at the last checkpoint. changed: settings it is to live by, such as wipe_memory=True."""
        from metarl.api import with_settings

        state = self.run.load_checkpoint()
        settings = with_settings(self.kind, self.settings, **changed)
        observation_space, action_space = self.spaces()
        try:
            return self.kind.restore(observation_space, action_space, settings, state["learner"], deterministic)
        except (AttributeError, KeyError, RuntimeError, TypeError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            fault = f"the checkpoint in {self.path} does not fit its config ({reason})"
            raise MetarlError(f"{fault}: restore both from a copy") from error

    def spaces(self) -> tuple[gym.Space, gym.Space]:
        env = self.make(1)
        try:
            return env.observation_space, env.action_space
        finally:
            env.close()

    def make(self, num_envs: int) -> Trials:
        return self.distribution.make(num_envs, task_visible=self.kind.task_visible)


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
) -> dict[str, dict[str, Lifetimes]]:
    """See metarl.evaluate."""
    episodes = loaded.distribution.episodes if episodes is None else episodes
    for name, value in (("tasks", tasks), ("replicates", replicates), ("episodes", episodes)):
        if not isinstance(value, int) or value < 1:
            raise MetarlError(f"{name} must be a whole number of at least 1, got {value!r}")
    family = loaded.distribution
    splits = [family.require(split)] if split else [s for s in family.splits if s != "train"] or ["train"]
    agents = {loaded.kind.name: (loaded.agent(deterministic, **settings), loaded.kind.task_visible)}
    for name in [against] if isinstance(against, str) else against:
        label, agent, visible = _other(loaded, name, deterministic, settings)
        if label in agents:
            raise MetarlError(f"there are two named {label!r} to compare: leave out {name!r}, or rename its directory")
        agents[label] = (agent, visible)
    folder = Path(out) if out else loaded.path
    with writing(folder, "give another --out"):
        folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict[str, Lifetimes]] = {}
    for s in splits:
        frozen = family.tasks(s, tasks, seed=0)
        results[s] = {}
        for label, (agent, visible) in agents.items():
            env = Trials(Environment(family, tasks * replicates, task_visible=visible), episodes)
            results[s][label] = evaluation.live(agent, env, frozen, replicates)
            env.close()
    with writing(folder, "give another --out"):
        meta = {"agent": loaded.kind.name, "distribution": family.name, "deterministic": deterministic}
        record.write(folder / EVAL, results, meta)
        note = "" if family.splits != ("train",) else " (its training tasks: no generalisation)"
        plots.adaptation_curve(folder / PICTURE, f"{loaded.kind.name} on {family.name}{note}", results)
    return results


def _distribution(source: str | None, family: Mapping[str, Any]) -> TaskDistribution:
    """What was trained on: the recorded data, even if the name has come to mean something else."""
    found = registry.find("distribution", source) if source else None  # runs the file: it may register a world as well
    if "parameters" in family:
        return TaskDistribution.from_json(family)
    found = found or registry.find("distribution", family["name"])  # a law is code, so there is no data
    if found.version != family["version"]:
        raise MetarlError(f"{found.name} has become version {found.version}, it was trained on {family['version']}")
    return found


def _other(loaded: LoadedRun, name: str, deterministic: bool, settings: Mapping[str, Any]) -> tuple[str, Agent, bool]:
    """Somebody to compare with: label, agent, whether it sees the task."""
    from metarl.api import make_settings

    if control := loaded.kind.controls.get(name):
        agent = loaded.agent(deterministic, **{**settings, **control.settings})
        return f"{loaded.kind.name}, {control.about}", agent, loaded.kind.task_visible
    if Path(name).is_dir():
        other = LoadedRun(name)
        if other.family != loaded.family:
            theirs, ours = other.distribution.name, loaded.distribution.name
            raise MetarlError(f"{name} was trained on {theirs}, not on {ours} as this one: compare runs on one family")
        label = other.kind.name if other.kind.name != loaded.kind.name else other.path.name
        return label, other.agent(deterministic), other.kind.task_visible
    kind: AgentType = registry.find("agent", name)
    if kind.learner is not None:
        raise MetarlError(f"the agent {name!r} must be trained first: give its run directory")
    observation_space, action_space = loaded.spaces()
    settings = make_settings(kind, loaded.distribution, {})
    return name, kind.restore(observation_space, action_space, settings, {}, deterministic), kind.task_visible
