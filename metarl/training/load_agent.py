"""Loading a trained agent from its run directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym

from metarl import registry
from metarl.core.agent import Agent, AgentType
from metarl.errors import MetarlError
from metarl.tasks.task_distribution import TaskDistribution
from metarl.training.run_dir import CONFIG, Run


class LoadedRun:
    """A run directory, its agent type and its distribution."""

    def __init__(self, path: str | Path) -> None:
        self.run = Run.open(path)
        self.path = self.run.path
        config = self.run.config
        try:
            agent, self.data = config["agent"], dict(config["distribution"])
            self.agent_type: AgentType = registry.find("agent", agent["source"] or agent["name"])
            self.distribution = _distribution(self.data.pop("source"), self.data)
            self.settings = self.agent_type.settings(**agent["settings"])
        except MetarlError as error:
            raise MetarlError(f"the run in {self.path} cannot be loaded: {error}") from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            what = f"{type(error).__name__}: {error}"
            raise MetarlError(f"{self.path / CONFIG} is damaged or of another version of metarl ({what})") from error

    def agent(self, deterministic: bool = True, **changed: Any) -> Agent:
        """Return the agent of the last checkpoint. changed: settings to change, such as wipe_memory=True."""
        state = self.run.load_checkpoint()
        settings = self.agent_type.change_settings(self.settings, **changed)
        observation_space, action_space = self.spaces()
        try:
            return self.agent_type.restore(observation_space, action_space, settings, state["learner"], deterministic)
        except (AttributeError, KeyError, RuntimeError, TypeError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            fault = f"the checkpoint in {self.path} does not fit its config ({reason})"
            raise MetarlError(f"{fault}: restore both from a copy") from error

    def spaces(self) -> tuple[gym.Space, gym.Space]:
        """Return the observation and action space of one environment."""
        env = self.distribution.make(task_visible=self.agent_type.task_visible)
        try:
            return env.observation_space, env.action_space
        finally:
            env.close()


def _distribution(source: str | None, data: Mapping[str, Any]) -> TaskDistribution:
    """Return the distribution of a config, even if its name now refers to another one."""
    named = registry.find("distribution", source) if source else None  # runs the file, which may register a world
    if "parameters" in data:
        return TaskDistribution.from_json(data)
    named = named or registry.find("distribution", data["name"])  # a sampler is a function, so the config has no data
    if named.version != data["version"]:
        raise MetarlError(
            f"{named.name} is now version {named.version}, and the run was trained on version {data['version']}: "
            "install the old version, or train again"
        )
    return named
