"""A walk on an n x n grid, the common part of GridNavi, DarkRoom and DarkKeyDoor."""

from __future__ import annotations

from collections.abc import Mapping

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Appearance
from metarl.envs.games.game import Batch, Colour, GameSimulation, with_grid_lines
from metarl.tasks.parameter import Parameter

STEPS = ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0))  # (dx, dy): stay, up, right, down, left
FLOOR, LINE, AGENT = (235, 235, 235), (205, 205, 205), (240, 140, 40)

ACTIONS = Parameter(
    "actions", shape=(len(STEPS),), low=0, high=len(STEPS) - 1, neutral=range(len(STEPS)), integer=True,
    doc="permutation: action i has the effect of action actions[i]",
)  # fmt: skip


def cell_parameter(name: str, size: int, neutral: int, doc: str) -> Parameter:
    """Return a parameter whose value is a cell (x, y)."""
    return Parameter(name, shape=(2,), low=0, high=size - 1, neutral=neutral, integer=True, doc=doc)


def next_cells(size: int) -> Tensor:
    """Return the cell after each move from each cell, int64 [size^2, 5], where a cell is x + size y.

    A move into a wall leads to the same cell.
    """
    x, y = np.arange(size * size) % size, np.arange(size * size) // size
    to = [np.clip(x + dx, 0, size - 1) + size * np.clip(y + dy, 0, size - 1) for dx, dy in STEPS]
    return torch.tensor(np.stack(to, 1))


def cell_observations(size: int) -> Tensor:
    """Return the observation of each cell, float32 [size^2, 2 size]: x one-hot, then y one-hot."""
    cells = torch.arange(size * size)
    return torch.cat([torch.eye(size)[cells % size], torch.eye(size)[cells // size]], 1)


class GridSimulation(GameSimulation):
    """B walkers on a grid.

    start: the start cell, or None for a random cell in each episode.
    """

    def __init__(self, parameters: tuple[Parameter, ...], batch: Batch, size: int, start: int | None) -> None:
        super().__init__(parameters, batch)
        self.size, self.start = size, start
        self.appearance = Appearance(starts_alike=start is not None)
        self.observation_space = gym.spaces.Box(0.0, 1.0, (2 * size,), np.float32)
        self.action_space = gym.spaces.Discrete(len(STEPS))
        self.cell = torch.zeros(batch.num_envs, dtype=torch.int64, device=batch.device)
        self.places: dict[str, Tensor] = {}  # name -> cell [B] of the parameters that are places
        self._next = next_cells(size).to(batch.device)
        self._observations = cell_observations(size).to(batch.device)
        self._permuted = False

    def assign(self, task: Mapping[str, Tensor], mask: Tensor) -> None:
        super().assign(task, mask)
        self.places = {n: v[:, 0] + self.size * v[:, 1] for n, v in self.task.items() if n != ACTIONS.name}
        self._permuted = ACTIONS.name in task

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        start = random.integers("start", self.size**2) if self.start is None else self.start
        self.cell = torch.where(mask, start, self.cell)

    def walk(self, action: Tensor, active: Tensor) -> None:
        """Move the active walkers."""
        action = action[:, None]
        if self._permuted:
            action = self.task[ACTIONS.name].gather(1, action)
        after = self._next.index_select(0, self.cell).gather(1, action)[:, 0]
        self.cell = torch.where(active, after, self.cell)

    def observe(self) -> Tensor:
        return self._observations.index_select(0, self.cell)

    # Rendering --------------------------------------------------------------------------------------------------

    def marks(self, index: int) -> dict[str, tuple[int, Colour]]:
        """Return the cell and colour of each object on the grid, by its letter."""
        return {"G": (int(self.places["goal"][index]), (60, 160, 90))}

    def text(self, index: int) -> str:
        """Return the grid as text, y upwards; `@` is the walker."""
        letters = ["."] * self.size**2
        for letter, (cell, _) in self.marks(index).items():
            letters[cell] = letter
        letters[int(self.cell[index])] = "@"
        rows = [" ".join(letters[y * self.size : (y + 1) * self.size]) for y in range(self.size)]
        return "\n".join(reversed(rows))

    def picture(self, index: int) -> np.ndarray:
        picture = np.full((self.size * self.size, 3), FLOOR, np.uint8)
        for cell, colour in self.marks(index).values():
            picture[cell] = colour
        picture[int(self.cell[index])] = AGENT
        return with_grid_lines(picture.reshape(self.size, self.size, 3)[::-1], (12, 12), LINE)
