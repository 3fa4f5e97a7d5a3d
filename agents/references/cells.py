"""The base class of searches on grids: the cell of the agent, episodes, and shortest ways."""

from __future__ import annotations

from abc import ABC, abstractmethod

import gymnasium as gym
import torch
from torch import Tensor

from metarl.core.trials import Step
from metarl.errors import MetarlError

STAY, UP, RIGHT, DOWN, LEFT = range(5)


class CellsAgent(ABC):
    """An agent on an n x n grid. Observations are x and y, one-hot; actions are stay, up, right, down, left."""

    def __init__(self, observation_space: gym.Space, action_space: gym.Space) -> None:
        shape = observation_space.shape or ()
        if len(shape) != 1 or shape[0] % 2 or getattr(action_space, "n", 0) != 5:
            raise MetarlError(f"a search on grids needs x and y, one-hot, and 5 moves, not {observation_space}")
        self.size = shape[0] // 2

    @abstractmethod
    def move(self, cell: Tensor) -> Tensor:
        """Return the actions, int64 [B], in cells int64 [B]."""

    @abstractmethod
    def learn(self, cell: Tensor, reward: Tensor, taken: Tensor) -> None:
        """Learn from the cells [B] and rewards [B] after a step. taken: bool [B], the environments that took it."""

    def begin(self, num_envs: int) -> None:
        self.rows = torch.arange(num_envs)
        self.episode = self.time = 0

    def act(self, obs: Tensor) -> Tensor:
        return self.move(self._cell(obs)).to(obs.device)

    def observe(self, step: Step) -> None:
        self.learn(self._cell(step.final_obs), step.reward.cpu(), ~step.resting.cpu())
        self.time += 1
        if bool((step.resting | step.terminated | step.truncated).all()):
            self.episode, self.time = self.episode + 1, 0
            self.restart()

    def restart(self) -> None:  # noqa: B027 - optional
        """Prepare for a new episode."""

    def toward(self, cell: Tensor, target: Tensor) -> Tensor:
        """Return the next action on a shortest way from cell to target, along x first; int64 [B] each."""
        dx, dy = target % self.size - cell % self.size, target // self.size - cell // self.size
        along_y = torch.where(dy > 0, UP, torch.where(dy < 0, DOWN, STAY))
        return torch.where(dx > 0, RIGHT, torch.where(dx < 0, LEFT, along_y))

    def _cell(self, obs: Tensor) -> Tensor:
        x, y = obs.cpu().reshape(len(obs), 2, self.size).argmax(2).unbind(1)
        return x + self.size * y
