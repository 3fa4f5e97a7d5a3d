"""Exhaustive search on grids: always to the nearest cell that is not ruled out as the goal."""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium as gym
import torch
from torch import Tensor

from metarl.agents.references.cells import CellsAgent
from metarl.checks import check_whole
from metarl.core.agent import AgentType


@dataclass(frozen=True)
class ExhaustiveSearchSettings:
    """Settings of exhaustive search."""

    stages: int = 1
    """cells to find one after the other in each episode: 1 for a goal, 2 for a key and then a door"""

    def __post_init__(self) -> None:
        check_whole(self, "stages", low=1)


class ExhaustiveSearchAgent(CellsAgent):
    """An agent that keeps, for each stage, the cells not ruled out and the cell that gave the reward.

    It takes the shortest way to a cell that it has found before.
    """

    def __init__(
        self, observation_space: gym.Space, action_space: gym.Space, settings: ExhaustiveSearchSettings
    ) -> None:
        super().__init__(observation_space, action_space)
        self.stages = settings.stages
        cells = torch.arange(self.size**2)
        x, y = cells % self.size, cells // self.size
        self.distances = (x[:, None] - x).abs() + (y[:, None] - y).abs()

    def begin(self, num_envs: int) -> None:
        super().begin(num_envs)
        self.open = torch.ones(num_envs, self.stages, self.size**2, dtype=torch.bool)
        self.known = torch.full((num_envs, self.stages), -1)
        self.restart()

    def restart(self) -> None:
        self.stage = torch.zeros_like(self.rows)

    def move(self, cell: Tensor) -> Tensor:
        stage = self.stage.clamp(max=self.stages - 1)
        far = 2 * self.size
        nearest = (self.distances[cell] + far * ~self.open[self.rows, stage]).argmin(1)
        known = self.known[self.rows, stage]
        return self.toward(cell, torch.where(known >= 0, known, nearest))

    def learn(self, cell: Tensor, reward: Tensor, taken: Tensor) -> None:
        rewards_left = reward.round().long().clamp(min=0) * taken
        for _ in range(self.stages):  # several stages may be in one cell
            searching = taken & (self.stage < self.stages)
            stage = self.stage.clamp(max=self.stages - 1)
            found = searching & (rewards_left > 0)
            self.open[self.rows, stage, cell] &= ~(searching & ~found)
            self.known[self.rows, stage] = torch.where(found, cell, self.known[self.rows, stage])
            if self.stages > 1:
                self.stage = self.stage + found
            rewards_left = rewards_left - found.long()


EXHAUSTIVE_SEARCH = AgentType(
    "exhaustive-search", ExhaustiveSearchSettings, None,
    lambda obs, actions, settings, *_: ExhaustiveSearchAgent(obs, actions, settings),
    tuned={"DarkKeyDoor": {"stages": 2}},
    about="reference on grids: to the nearest cell not ruled out, and the shortest way to cells found before",
)  # fmt: skip
