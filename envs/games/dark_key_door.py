"""DarkKeyDoor: a search for a hidden key, then for a hidden door."""

from __future__ import annotations

import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Outcome
from metarl.envs.games.game import Batch, Colour, Game, Settings
from metarl.envs.games.grid import ACTIONS, GridSimulation, cell_parameter
from metarl.tasks.parameter import Parameter


class DarkKeyDoor(Game):
    r"""A dark square room with a key and a door (Laskin et al. 2022, Algorithm Distillation).

    Settings: `size` n (9).

    Action, `Discrete(5)`: stay, up, right, down, left; a move into a wall has no effect.

    Observation, 2n numbers: x one-hot, y one-hot. Possession of the key is not observed.

    Reward, each once per episode: +1 on reaching the key (term `key`), +1 on reaching the door with the key (term
    `door`; in the same step if they share a cell). The episode terminates at the door.

    Start: a random cell in each episode. Parameters: `key` and `door` (x, y); `actions`, a permutation of the actions'
    effects.
    """

    name = "DarkKeyDoor"
    defaults = {"size": 9}

    def task_parameters(self, settings: Settings) -> tuple[Parameter, ...]:
        size = settings["size"]
        return (
            cell_parameter("key", size, 0, "cell of the key"),
            cell_parameter("door", size, size - 1, "cell of the door"),
            ACTIONS,
        )

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], batch: Batch) -> GridSimulation:
        return DarkKeyDoorSimulation(parameters, batch, settings["size"])


class DarkKeyDoorSimulation(GridSimulation):
    """B rooms; `held`: bool [B], the walkers that have the key."""

    may_terminate = True

    def __init__(self, parameters: tuple[Parameter, ...], batch: Batch, size: int) -> None:
        super().__init__(parameters, batch, size, start=None)
        self.held = self.none_terminated

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        super().reset(mask, random)
        self.held = self.held & ~mask

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        self.walk(action, active)
        taken = (self.cell == self.places["key"]) & ~self.held & active
        self.held = self.held | taken
        opened = (self.cell == self.places["door"]) & self.held & active
        self.reward_terms = {"key": taken.float(), "door": opened.float()}
        return Outcome(torch.add(*self.reward_terms.values()), opened, self.no_flags)

    def marks(self, index: int) -> dict[str, tuple[int, Colour]]:
        marks = {"D": (int(self.places["door"][index]), (150, 90, 40))}
        key = {"K": (int(self.places["key"][index]), (230, 200, 60))}
        return marks if bool(self.held[index]) else marks | key
