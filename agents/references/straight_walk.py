"""The task-informed optimum of grids with one goal: an agent that is given the goal."""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium as gym
import numpy as np
from torch import Tensor

from metarl.agents.references.cells import CellsAgent
from metarl.core.agent import AgentType
from metarl.errors import MetarlError


@dataclass(frozen=True)
class StraightWalkSettings:
    """The agent has no settings."""


class StraightWalkAgent(CellsAgent):
    """An agent that takes a shortest way to the goal and stays there.

    An observation is x and y, one-hot, then x and y of the goal.
    """

    def __init__(self, observation_space: gym.Space, action_space: gym.Space) -> None:
        size = (observation_space.shape or (0,))[-1] - 2
        if size < 2 or size % 2:
            raise MetarlError(f"straight-walk needs the goal (x, y) of a grid, not {observation_space}")
        super().__init__(gym.spaces.Box(0.0, 1.0, (size,), np.float32), action_space)

    def act(self, obs: Tensor) -> Tensor:
        x, y = obs[:, -2:].cpu().long().unbind(1)
        self.goal = x + self.size * y
        return super().act(obs[:, :-2])

    def move(self, cell: Tensor) -> Tensor:
        return self.toward(cell, self.goal)

    def observe(self, step: object) -> None:
        """The agent does not learn."""

    def learn(self, cell: Tensor, reward: Tensor, taken: Tensor) -> None: ...


STRAIGHT_WALK = AgentType(
    "straight-walk", StraightWalkSettings, None, lambda obs, actions, *_: StraightWalkAgent(obs, actions),
    task_visible=True, about="reference on grids: the task-informed optimum, given the goal",
)  # fmt: skip
