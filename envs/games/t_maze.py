"""TMaze: a corridor with a cue at its start and a turn at its end."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Appearance, Outcome
from metarl.envs.games.game import Batch, Game, GameSimulation, Settings, with_grid_lines
from metarl.envs.games.grid import AGENT, FLOOR
from metarl.tasks.parameter import Parameter

FORWARD, UP, BACK, DOWN = range(4)
TEXT_CELLS, PICTURE_CELLS = 60, 15  # largest number of cells of a corridor in text and in pictures


class TMaze(Game):
    r"""A corridor of L cells that ends in two arms; a cue tells the rewarded one (Ni et al. 2023).

    Settings: `active` (False): the cue is one cell behind the start, so that the agent must first go back.

    Action, `Discrete(4)`: forward, up, back, down. Up and down have an effect only at the corridor's end.

    Observation: the cue (+1 up, -1 down, and 0 outside of its cell), 1 at the junction or in an arm else 0, and the
    current arm (+1, -1, else 0).

    Reward: term `arm`, 1 for entering the arm of the cue; term `late`, -1/L for each step after which the position is
    behind that of the shortest path, so that the best return is exactly 1. The episode terminates in an arm, or after
    the length of the shortest path: L + 1 steps, L + 3 if active.

    Start: the corridor's first cell, which is the cue's cell unless active, and a random side in each episode.
    Parameters: `length` L.
    """

    name = "TMaze"
    defaults = {"active": False}

    def task_parameters(self, settings: Settings) -> tuple[Parameter, ...]:
        return (
            Parameter("length", unit="cells", low=1, neutral=10, integer=True, doc="distance from start to junction"),
        )

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], batch: Batch) -> TMazeSimulation:
        return TMazeSimulation(parameters, batch, settings["active"])


class TMazeSimulation(GameSimulation):
    """B corridors."""

    may_terminate = True

    def __init__(self, parameters: tuple[Parameter, ...], batch: Batch, active: bool) -> None:
        super().__init__(parameters, batch)
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (3,), np.float32)
        self.action_space = gym.spaces.Discrete(4)
        # Random actions do not reach the junction.
        self.appearance = Appearance(starts_alike=active, seldom_changes=True)
        self.cue_cell, self.detour = (-1, 2) if active else (0, 0)
        self.x = self.y = self.time = torch.zeros(batch.num_envs, dtype=torch.int64, device=batch.device)
        self.side = torch.ones_like(self.x)

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        self.x, self.y, self.time = (v.masked_fill(mask, 0) for v in (self.x, self.y, self.time))
        self.side = torch.where(mask, 2 * random.integers("side", 2) - 1, self.side)

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        length = self.task["length"]
        self.time = self.time + active
        in_corridor = active & (self.y == 0)
        turn = (action == UP).long() - (action == DOWN).long()
        self.y = torch.where(in_corridor & (self.x == length), turn, self.y)
        along = (action == FORWARD).long() - (action == BACK).long()
        after = torch.minimum((self.x + along).clamp(min=self.cue_cell), length)
        self.x = torch.where(in_corridor, after, self.x)
        in_arm = (self.y != 0) & active
        correct = in_arm & (self.y == self.side)
        late = active & ~in_arm & (self.x < self.time - self.detour)
        self.reward_terms = {"arm": correct.float(), "late": late / -length.float()}
        out_of_time = active & (self.time >= length + 1 + self.detour)
        return Outcome(torch.add(*self.reward_terms.values()), in_arm | out_of_time, self.no_flags)

    def observe(self) -> Tensor:
        cue = (self.x == self.cue_cell) * self.side
        return torch.stack([cue, (self.x == self.task["length"]).long(), self.y], 1).float()

    def text(self, index: int) -> str:
        """Return the corridor as text, with `+` in the rewarded arm and `@` for the agent; long ones are shortened."""
        side, x, y, cells = self._shortened(index, TEXT_CELLS)
        rows = {1: [" "] * cells, 0: ["."] * cells, -1: [" "] * cells}
        for arm in (1, -1):
            rows[arm][-1] = "+" if arm == side else "-"
        rows[y][x] = "@"
        return "\n".join("".join(rows[arm]) for arm in (1, 0, -1))

    def picture(self, index: int) -> np.ndarray:
        """Draw the corridor across the middle of a square; the rewarded arm is green."""
        side, x, y, cells = self._shortened(index, PICTURE_CELLS)
        middle = cells // 2
        picture = np.full((2 * middle + 1, cells, 3), 60, np.uint8)
        picture[middle] = FLOOR
        picture[middle - side, -1], picture[middle + side, -1] = (60, 160, 90), (170, 60, 60)
        picture[middle - y, x] = AGENT
        return with_grid_lines(picture, (12, 12), (60, 60, 60))

    def _shortened(self, index: int, max_cells: int) -> tuple[int, int, int, int]:
        """Return side of the cue, cell and arm of the agent, and number of cells, scaled to at most `max_cells`."""
        length, x = int(self.task["length"][index]), int(self.x[index])
        cells = min(length - self.cue_cell + 1, max_cells)
        cell = round((x - self.cue_cell) / (length - self.cue_cell) * (cells - 1))
        return int(self.side[index]), cell, int(self.y[index]), cells
