"""DarkRoom: find a hidden cell, seeing only where one is."""

from __future__ import annotations

from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Outcome
from metarl.envs.games.game import Game, Lanes, Settings
from metarl.envs.games.grid import ACTIONS, GridSimulation, place
from metarl.tasks.parameter import Parameter


class DarkRoom(Game):
    r"""A square room in the dark (Laskin et al. 2022, Algorithm Distillation).

    Settings: `size` n (9); `once` (False): the goal pays only once and ends the episode (the hard room, n = 17).

    Action, `Discrete(5)`: stay, up, right, down, left; walls keep one where one is.

    Observation, 2n numbers: x one-hot, y one-hot.

    Reward (term `goal`): +1 for each step that ends on the goal, else 0.

    Start: the centre. Parameters: `goal` (x, y); `actions`, a permutation of what the actions do.
    """

    name = "DarkRoom"
    defaults = {"size": 9, "once": False}

    def understood(self, settings: Settings) -> tuple[Parameter, ...]:
        return place("goal", settings["size"], 0, "the cell that rewards"), ACTIONS

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], lanes: Lanes) -> GridSimulation:
        return DarkRoomSimulation(parameters, lanes, settings["size"], settings["once"])


class DarkRoomSimulation(GridSimulation):
    """B rooms."""

    def __init__(self, parameters: tuple[Parameter, ...], lanes: Lanes, size: int, once: bool) -> None:
        super().__init__(parameters, lanes, size, start=(size // 2) * (size + 1))
        self.may_terminate = once

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        self.walk(action, active)
        found = (self.cell == self.places["goal"]).logical_and_(active)
        reward = found.float()
        self.reward_terms = {"goal": reward}
        return Outcome(reward, found if self.may_terminate else self.nobody, self.no_flags)
