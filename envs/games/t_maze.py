"""TMaze: remember a cue along a corridor, turn to its side at the end."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Appearance, Outcome
from metarl.envs.games.game import Game, GameSimulation, Lanes, Settings, ruled
from metarl.envs.games.grid import AGENT, FLOOR
from metarl.tasks.parameter import Parameter

FORWARD, UP, BACK, DOWN = range(4)
WIDEST, WIDEST_DRAWN = 60, 15  # cells of a corridor that text and pictures show


class TMaze(Game):
    r"""A corridor of L cells that ends in two arms; a cue says which one pays (Ni et al. 2023).

    Settings: `active` (False): the cue is one cell behind the start, so that it must be fetched.

    Action, `Discrete(4)`: forward, up, back, down. Up and down lead into the arms at the corridor's end, nowhere
    elsewhere.

    Observation: the cue (+1 up, -1 down, 0 anywhere but at its cell), 1 at the junction or in an arm else 0, and the
    arm one is in (+1, -1, else 0).

    Reward: term `arm`, 1 for entering the arm of the cue; term `late`, -1/L for each step after which one is further
    back than the shortest way would be, so that the best return is exactly 1. The episode ends in an arm, or after the
    steps that the shortest way needs: L + 1, active L + 3.

    Start: the corridor's first cell (passive: the cue's); the side is drawn anew each episode. Parameters: `length` L.
    """

    name = "TMaze"
    defaults = {"active": False}

    def understood(self, settings: Settings) -> tuple[Parameter, ...]:
        return (
            Parameter("length", unit="cells", low=1, neutral=10, integer=True, doc="from the start to the junction"),
        )

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], lanes: Lanes) -> TMazeSimulation:
        return TMazeSimulation(parameters, lanes, settings["active"])


class TMazeSimulation(GameSimulation):
    """B corridors."""

    may_terminate = True

    def __init__(self, parameters: tuple[Parameter, ...], lanes: Lanes, active: bool) -> None:
        super().__init__(parameters, lanes)
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (3,), np.float32)
        self.action_space = gym.spaces.Discrete(4)
        self.appearance = Appearance(starts_alike=active, seldom_changes=True)  # chance does not lead to the junction
        self.cue_cell, self.detour = (-1, 2) if active else (0, 0)
        self.x = self.y = self.time = torch.zeros(lanes.num_envs, dtype=torch.int64, device=lanes.device)
        self.side = torch.ones_like(self.x)

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        self.x, self.y, self.time = (v.masked_fill(mask, 0) for v in (self.x, self.y, self.time))
        self.side = torch.where(mask, 2 * random.integers("side", 2) - 1, self.side)

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        length = self.task["length"]
        self.time = self.time + active
        inside = active & (self.y == 0)
        turn = (action == UP).long() - (action == DOWN).long()
        self.y = torch.where(inside & (self.x == length), turn, self.y)
        along = (action == FORWARD).long() - (action == BACK).long()
        moved = torch.minimum((self.x + along).clamp(min=self.cue_cell), length)
        self.x = torch.where(inside, moved, self.x)
        chosen = (self.y != 0) & active
        right = chosen & (self.y == self.side)
        late = active & ~chosen & (self.x < self.time - self.detour)
        self.reward_terms = {"arm": right.float(), "late": late / -length.float()}
        out_of_time = active & (self.time >= length + 1 + self.detour)
        return Outcome(torch.add(*self.reward_terms.values()), chosen | out_of_time, self.no_flags)

    def observe(self) -> Tensor:
        cue = (self.x == self.cue_cell) * self.side
        return torch.stack([cue, (self.x == self.task["length"]).long(), self.y], 1).float()

    def text(self, index: int) -> str:
        """The corridor, `+` in the arm that pays; `@` is where one is. Long corridors are drawn shorter."""
        up, here, y, cells = self._drawn(index, WIDEST)
        rows = {1: [" "] * cells, 0: ["."] * cells, -1: [" "] * cells}
        for arm in (1, -1):
            rows[arm][-1] = "+" if arm == up else "-"
        rows[y][here] = "@"
        return "\n".join("".join(rows[arm]) for arm in (1, 0, -1))

    def picture(self, index: int) -> np.ndarray:
        """A square with the corridor across its middle; the arm that pays is green."""
        up, here, y, cells = self._drawn(index, WIDEST_DRAWN)
        middle = cells // 2
        picture = np.full((2 * middle + 1, cells, 3), 60, np.uint8)
        picture[middle] = FLOOR
        picture[middle - up, -1], picture[middle + up, -1] = (60, 160, 90), (170, 60, 60)
        picture[middle - y, here] = AGENT
        return ruled(picture, (12, 12), (60, 60, 60))

    def _drawn(self, index: int, widest: int) -> tuple[int, int, int, int]:
        """Side of the cue, cell one is in, arm, and number of cells, of a corridor of at most `widest`."""
        length, x = int(self.task["length"][index]), int(self.x[index])
        cells = min(length - self.cue_cell + 1, widest)
        here = round((x - self.cue_cell) / (length - self.cue_cell) * (cells - 1))
        return int(self.side[index]), here, int(self.y[index]), cells
