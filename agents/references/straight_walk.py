"""Told where the goal is: the task-informed optimum of grids with one goal."""

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
    """Nothing to set."""


class StraightWalkAgent(CellsAgent):
    """Takes a shortest way to the goal and stays there. Sees x and y one-hot, then the goal's x and y."""

    def __init__(self, observation_space: gym.Space, action_space: gym.Space) -> None:
        shown = (observation_space.shape or (0,))[-1] - 2
        if shown < 2 or shown % 2:
            raise MetarlError(f"straight-walk must be told one goal (x, y) on a grid, not {observation_space}")
        super().__init__(gym.spaces.Box(0.0, 1.0, (shown,), np.float32), action_space)

    def act(self, obs: Tensor) -> Tensor:
        x, y = obs[:, -2:].cpu().long().unbind(1)
        self.goal = x + self.size * y
        return super().act(obs[:, :-2])

    def move(self, cell: Tensor) -> Tensor:
        return self.toward(cell, self.goal)

    def observe(self, step: object) -> None:
        """Nothing is learned from what it is told already."""

    def learn(self, cell: Tensor, reward: Tensor, alive: Tensor) -> None: ...


STRAIGHT_WALK = AgentType(
    "straight-walk", StraightWalkSettings, None, lambda obs, actions, *_: StraightWalkAgent(obs, actions),
    task_visible=True, about="reference on grids: told the goal, the task-informed optimum",
)  # fmt: skip
