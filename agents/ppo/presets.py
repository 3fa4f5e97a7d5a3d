"""RL², its controls and the random agent, as agent types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import gymnasium as gym

from metarl.agents.action_distributions import ActionNoise
from metarl.agents.ppo import fine_tune
from metarl.agents.ppo.agent import PolicyAgent
from metarl.agents.ppo.fine_tune import FineTuneSettings
from metarl.agents.ppo.learner import PPOLearner
from metarl.agents.ppo.policy import Policy
from metarl.agents.ppo.settings import PPOSettings
from metarl.agents.ppo.tuned import TUNED, TUNED_MEMORY
from metarl.agents.references.random_agent import RandomAgent, RandomSettings
from metarl.core.agent import AgentType, Control
from metarl.core.rng import generator


@dataclass(frozen=True)
class RL2Settings(PPOSettings):
    """RL²: a recurrent policy whose memory persists across the episodes of a trial (Duan et al. 2016)."""


@dataclass(frozen=True)
class WipedSettings(PPOSettings):
    """RL² with its memory wiped at each episode, in training and in evaluation."""

    wipe_memory: bool = True


@dataclass(frozen=True)
class MemorylessSettings(PPOSettings):
    """Multi-task PPO without memory."""

    memory: str = "none"  # type: ignore[assignment]


def _restore(
    observation_space: gym.Space,
    action_space: gym.Space,
    settings: PPOSettings,
    state: Mapping[str, Any],
    deterministic: bool,
) -> PolicyAgent:
    policy = Policy(observation_space, action_space, settings)
    policy.load_state_dict(state["policy"])
    return PolicyAgent(policy.eval(), deterministic, ActionNoise(generator(0, "sampled actions")))


def _changeable_settings(settings: PPOSettings) -> tuple[str, ...]:
    """Return the settings that may be changed in a trained agent."""
    return ("wipe_memory",)


WIPED = {"wiped": Control("memory wiped", {"wipe_memory": True})}

RL2 = AgentType(
    "rl2", RL2Settings, PPOLearner, _restore, tuned=TUNED_MEMORY,
    changeable_settings=_changeable_settings, controls=WIPED,
    about="RL²: PPO on a recurrent policy whose memory persists across the episodes of a trial",
)  # fmt: skip
RL2_WIPED = AgentType(
    "rl2-wiped", WipedSettings, PPOLearner, _restore, tuned=TUNED_MEMORY,
    changeable_settings=_changeable_settings, controls=WIPED,
    about="control: RL² with its memory wiped at each episode",
)  # fmt: skip
PPO = AgentType(
    "ppo", MemorylessSettings, PPOLearner, _restore, tuned=TUNED,
    changeable_settings=_changeable_settings, controls=WIPED,
    about="control: multi-task PPO without memory, which cannot adapt",
)  # fmt: skip
ORACLE = AgentType(
    "oracle", MemorylessSettings, partial(PPOLearner, task_visible=True), _restore, task_visible=True, tuned=TUNED,
    changeable_settings=_changeable_settings, controls=WIPED,
    about="control: multi-task PPO without memory, with the task in its observations",
)  # fmt: skip
FINE_TUNED = AgentType(
    "fine-tuned", FineTuneSettings, PPOLearner, fine_tune.restore, tuned=TUNED,
    changeable_settings=lambda _: ("tuning_steps", "tuning_rate", "gamma", "clip_coef"),
    about="control: multi-task PPO that continues to train on its task within the trial",
)  # fmt: skip
RANDOM = AgentType(
    "random", RandomSettings, None, lambda _, actions, settings, *__: RandomAgent(actions, settings),
    about="lower anchor of scores: uniform random actions",
)  # fmt: skip
