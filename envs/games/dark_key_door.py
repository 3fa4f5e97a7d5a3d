"""DarkKeyDoor: find a hidden key, then a hidden door."""

from __future__ import annotations

import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Outcome
from metarl.envs.games.game import Colour, Game, Lanes, Settings
from metarl.envs.games.grid import ACTIONS, GridSimulation, place
from metarl.tasks.parameter import Parameter


class DarkKeyDoor(Game):
    r"""A square room in the dark with a key and a door (Laskin et al. 2022, Algorithm Distillation).

    Settings: `size` n (9).

    Action, `Discrete(5)`: stay, up, right, down, left; walls keep one where one is.

    Observation, 2n numbers: x one-hot, y one-hot. Whether one holds the key is known from the reward alone.

    Reward, each once an episode: term `key` +1 on reaching the key, term `door` +1 on reaching the door with the key
    (in the same step where they share a cell). The episode ends at the door.

    Start: any cell, drawn anew each episode. Parameters: `key` and `door` (x, y); `actions`, a permutation of what the
    actions do.
    """

    name = "DarkKeyDoor"
    defaults = {"size": 9}

    def understood(self, settings: Settings) -> tuple[Parameter, ...]:
        size = settings["size"]
        return (
            place("key", size, 0, "the cell of the key"),
            place("door", size, size - 1, "the cell of the door"),
            ACTIONS,
        )

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], lanes: Lanes) -> GridSimulation:
        return DarkKeyDoorSimulation(parameters, lanes, settings["size"])


class DarkKeyDoorSimulation(GridSimulation):
    """B rooms; `held`: who has the key."""

    may_terminate = True

    def __init__(self, parameters: tuple[Parameter, ...], lanes: Lanes, size: int) -> None:
        super().__init__(parameters, lanes, size, start=None)
        self.held = self.nobody

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        super().reset(mask, random)
        self.held = self.held & ~mask

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        self.walk(action, active)
        found = (self.cell == self.places["key"]) & ~self.held & active
        self.held = self.held | found
        opened = (self.cell == self.places["door"]) & self.held & active
        self.reward_terms = {"key": found.float(), "door": opened.float()}
        return Outcome(torch.add(*self.reward_terms.values()), opened, self.no_flags)

    def marks(self, index: int) -> dict[str, tuple[int, Colour]]:
        marks = {"D": (int(self.places["door"][index]), (150, 90, 40))}
        key = {"K": (int(self.places["key"][index]), (230, 200, 60))}
        return marks if bool(self.held[index]) else marks | key
