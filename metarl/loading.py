"""Finished runs: the trained agent back from its directory, and its evaluation on frozen tasks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gymnasium as gym

from metarl import evaluation, plots, registry
from metarl.agent import Agent, AgentType
from metarl.distribution import TaskDistribution
from metarl.errors import MetarlError
from metarl.evaluation import Lifetimes
from metarl.run import Run
from metarl.trials import Trials

EVAL, PICTURE = "eval.npz", "adaptation.png"


class LoadedRun:
    """A run directory, its agent and its distribution."""

    def __init__(self, path: str | Path) -> None:
        self.run = Run.open(path)
        self.path = self.run.path
        config = self.run.config
        try:
            agent, family = config["agent"], dict(config["distribution"])
            self.kind: AgentType = registry.find("agent", agent["source"] or agent["name"])
            if source := family.pop("source"):
                registry.find("distribution", source)  # runs the file, which may register a world as well
            # The recorded data is what was trained on, even if the name has come to mean something else.
            self.distribution = TaskDistribution.from_json(family)
            self.settings = self.kind.settings(**agent["settings"])
        except (KeyError, TypeError) as error:
            raise MetarlError(f"{self.path / 'config.json'} is damaged or of another version of metarl: {error}") from error

    def agent(self, deterministic: bool = True, wipe_memory: bool = False) -> Agent:
        """The agent at the last checkpoint. wipe_memory: forget everything at each new episode."""
        from metarl.api import with_settings

        state = self.run.load_checkpoint()
        if state.get("agent") != self.kind.name:
            raise MetarlError(f"the checkpoint in {self.path} is of {state.get('agent')!r}, its config of {self.kind.name!r}")
        settings = with_settings(self.kind, self.settings, wipe_memory=True) if wipe_memory else self.settings
        observation_space, action_space = self.spaces()
        try:
            return self.kind.restore(observation_space, action_space, settings, state["learner"], deterministic)
        except (KeyError, RuntimeError) as error:
            first = str(error).splitlines()[0]
            raise MetarlError(f"the checkpoint in {self.path} does not fit its config: {first}") from error

    def spaces(self) -> tuple[gym.Space, gym.Space]:
        env = self.make(1)
        try:
            return env.observation_space, env.action_space
        finally:
            env.close()

    def make(self, num_envs: int) -> Trials:
        return self.distribution.make(num_envs, task_visible=self.kind.task_visible)


def evaluate_run(
    loaded: LoadedRun, split: str | None, tasks: int, replicates: int, against: Sequence[str], deterministic: bool,
    out: str | Path | None,
) -> dict[str, dict[str, Lifetimes]]:  # fmt: skip
    """See metarl.evaluate."""
    for name, value in (("tasks", tasks), ("replicates", replicates)):
        if not isinstance(value, int) or value < 1:
            raise MetarlError(f"{name} must be a whole number of at least 1, got {value!r}")
    family = loaded.distribution
    splits = [family.require(split)] if split else [s for s in family.splits if s != "train"] or ["train"]
    agents = {loaded.kind.name: (loaded.agent(deterministic), loaded.kind.task_visible)}
    for name in against:
        label, agent, visible = _other(loaded, name, deterministic)
        agents[label] = (agent, visible)
    results: dict[str, dict[str, Lifetimes]] = {}
    for s in splits:
        frozen = family.tasks(s, tasks, seed=0)
        results[s] = {}
        for label, (agent, visible) in agents.items():
            env = family.make(tasks * replicates, task_visible=visible)
            results[s][label] = evaluation.live(agent, env, frozen, replicates)
            env.close()
    folder = Path(out) if out else loaded.path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        evaluation.save(folder / EVAL, results)
        note = "" if family.splits != ("train",) else " (its training tasks: no generalisation)"
        plots.adaptation_curve(folder / PICTURE, f"{loaded.kind.name} on {family.name}{note}", results)
    except OSError as error:
        raise MetarlError(f"cannot write to {folder}: {error.strerror}; give another --out") from error
    return results


def _other(loaded: LoadedRun, name: str, deterministic: bool) -> tuple[str, Agent, bool]:
    """Somebody to compare with: label, agent, whether it sees the task."""
    if name == "wiped":
        return f"{loaded.kind.name}, memory wiped", loaded.agent(deterministic, wipe_memory=True), loaded.kind.task_visible
    if Path(name).is_dir():
        other = LoadedRun(name)
        if other.distribution.to_json() != loaded.distribution.to_json():
            raise MetarlError(f"{name} was trained on {other.distribution.name}, not on this {loaded.distribution.name}")
        label = other.kind.name if other.kind.name != loaded.kind.name else other.path.name
        return label, other.agent(deterministic), other.kind.task_visible
    kind: AgentType = registry.find("agent", name)
    if kind.learner is not None:
        raise MetarlError(f"the agent {name!r} must be trained first: give its run directory")
    observation_space, action_space = loaded.spaces()
    return name, kind.restore(observation_space, action_space, kind.settings(), {}, deterministic), kind.task_visible
