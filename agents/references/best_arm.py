"""Told what each arm is worth: the task-informed optimum of bandits."""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium as gym
from torch import Tensor, stack

from metarl.core.agent import AgentType
from metarl.core.trials import Step
from metarl.errors import MetarlError


@dataclass(frozen=True)
class BestArmSettings:
    """Nothing to set."""


class BestArmAgent:
    """Pulls the arm of the highest mean. Sees the number 0, then the arms' means, or of two linked arms the first's."""

    def __init__(self, observation_space: gym.Space, action_space: gym.Space) -> None:
        self.arms = int(getattr(action_space, "n", 0))
        shown = (observation_space.shape or (0,))[-1] - 1
        if shown != self.arms and (shown, self.arms) != (1, 2):
            raise MetarlError(f"best-arm must be told the mean of each of {self.arms} arms, not {shown} numbers")

    def begin(self, num_envs: int) -> None: ...

    def act(self, obs: Tensor) -> Tensor:
        told = obs[:, 1:]
        means = told if told.shape[1] == self.arms else stack([told[:, 0], 1.0 - told[:, 0]], 1)
        return means.argmax(1)

    def observe(self, step: Step) -> None: ...


BEST_ARM = AgentType(
    "best-arm", BestArmSettings, None, lambda obs, actions, *_: BestArmAgent(obs, actions), task_visible=True,
    about="reference on bandits: told the means, the task-informed optimum",
)  # fmt: skip
