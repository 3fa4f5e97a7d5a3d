"""The task-informed optimum of bandits: an agent that is given the mean of each arm."""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium as gym
from torch import Tensor, stack

from metarl.core.agent import AgentType
from metarl.core.trials import Step
from metarl.errors import MetarlError


@dataclass(frozen=True)
class BestArmSettings:
    """The agent has no settings."""


class BestArmAgent:
    """An agent that pulls the arm of the highest mean.

    An observation is the number 0, then the mean of each arm; of two linked arms, the mean of the first alone.
    """

    def __init__(self, observation_space: gym.Space, action_space: gym.Space) -> None:
        self.arms = int(getattr(action_space, "n", 0))
        task_size = (observation_space.shape or (0,))[-1] - 1
        if task_size != self.arms and (task_size, self.arms) != (1, 2):
            raise MetarlError(f"best-arm needs the means of {self.arms} arms, not {task_size} numbers")

    def begin(self, num_envs: int) -> None: ...

    def act(self, obs: Tensor) -> Tensor:
        task = obs[:, 1:]
        means = task if task.shape[1] == self.arms else stack([task[:, 0], 1.0 - task[:, 0]], 1)
        return means.argmax(1)

    def observe(self, step: Step) -> None: ...


BEST_ARM = AgentType(
    "best-arm", BestArmSettings, None, lambda obs, actions, *_: BestArmAgent(obs, actions), task_visible=True,
    about="reference on bandits: the task-informed optimum, given the means of the arms",
)  # fmt: skip
