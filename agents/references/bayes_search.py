"""Bayes-optimal search for a hidden cell: a walk planned in advance, and the shortest way once the cell is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import gymnasium as gym
import torch
from torch import Tensor

from metarl.agents.references.cells import CellsAgent
from metarl.agents.references.search_plan import Plan, Search, best_search
from metarl.checks import check_number, check_whole
from metarl.core.agent import AgentType
from metarl.errors import MetarlError


@dataclass(frozen=True)
class BayesSearchSettings:
    """The problem that the search is planned for."""

    horizon: int = 15
    """steps in an episode"""
    episodes: int = 4
    """episodes in a trial"""
    start: Literal["corner", "centre"] = "corner"
    """cell where episodes start"""
    nearest: int = 1
    """the goal is outside of this many rows and columns around the start; -1: it may be any cell"""
    once: bool = False
    """the goal gives its reward once and ends the episode"""
    width: int = 1000
    """states kept in each step of the planner"""
    border: float = 0.0
    """penalty on the length of the border of the searched cells, by which states are kept; see best_search"""

    def __post_init__(self) -> None:
        check_whole(self, "horizon", "episodes", "width", low=1)
        check_whole(self, "nearest", low=-1)
        check_number(self, "border", low=0.0)

    def search(self, size: int) -> Search:
        """Return the search problem on a grid of size x size cells."""
        start = 0 if self.start == "corner" else (size // 2) * (size + 1)
        return Search(size, start, self.nearest, self.horizon, self.episodes, self.once)

    def plan(self, size: int) -> Plan:
        """Return the planned walk, its gain, and an upper bound on the gain of any walk."""
        return best_search(self.search(size), self.width, self.border)


class BayesSearchAgent(CellsAgent):
    """An agent that follows the plan until the goal is found. See search_plan.py for when that is Bayes-optimal."""

    def __init__(self, observation_space: gym.Space, action_space: gym.Space, settings: BayesSearchSettings) -> None:
        super().__init__(observation_space, action_space)
        self.settings = settings

    def begin(self, num_envs: int) -> None:
        super().begin(num_envs)
        self.plan = torch.from_numpy(self.settings.plan(self.size).actions)
        self.goal = torch.full((num_envs,), -1)

    def move(self, cell: Tensor) -> Tensor:
        if self.episode >= self.settings.episodes or self.time >= self.settings.horizon:
            raise MetarlError(
                f"the search was planned for {self.settings.episodes} episodes of {self.settings.horizon} steps: "
                "set episodes and horizon to those of the trial"
            )
        return torch.where(self.goal >= 0, self.toward(cell, self.goal), self.plan[self.episode, self.time])

    def learn(self, cell: Tensor, reward: Tensor, taken: Tensor) -> None:
        self.goal = torch.where((reward > 0.5) & taken, cell, self.goal)


BAYES_SEARCH = AgentType(
    "bayes-search", BayesSearchSettings, None,
    lambda obs, actions, settings, *_: BayesSearchAgent(obs, actions, settings),
    # Expected returns, and upper bounds for any agent: GridNavi 37.21 (exact), GridNavi7 71.06 of at most 71.79,
    # DarkRoom 134.79 of at most 136.17, DarkRoomHard 12.69 of at most 13.27.
    tuned={
        "GridNavi7": {"horizon": 28},
        "DarkRoom": {"horizon": 20, "episodes": 10, "start": "centre", "nearest": -1, "border": 5.0},
        "DarkRoomHard": {
            "horizon": 20, "episodes": 20, "start": "centre", "nearest": -1, "once": True, "width": 200, "border": 1.0,
        },
    },
    about="reference on GridNavi and DarkRoom: the best search, planned over beliefs by dynamic programming",
)  # fmt: skip
