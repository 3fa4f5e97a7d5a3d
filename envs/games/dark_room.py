"""DarkRoom: a search for a hidden cell, in which only the position is observed."""

from __future__ import annotations

from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Outcome
from metarl.envs.games.game import Batch, Game, Settings
from metarl.envs.games.grid import ACTIONS, GridSimulation, cell_parameter
from metarl.tasks.parameter import Parameter


class DarkRoom(Game):
    r"""A dark square room (Laskin et al. 2022, Algorithm Distillation).

    Settings: `size` n (9); `once` (False): the goal rewards once and terminates the episode (the hard room, n = 17).

    Action, `Discrete(5)`: stay, up, right, down, left; a move into a wall has no effect.

    Observation, 2n numbers: x one-hot, y one-hot.

    Reward (term `goal`): +1 for each step that ends on the goal, else 0.

    Start: the centre. Parameters: `goal` (x, y); `actions`, a permutation of the actions' effects.
    """

    name = "DarkRoom"
    defaults = {"size": 9, "once": False}

    def task_parameters(self, settings: Settings) -> tuple[Parameter, ...]:
        return cell_parameter("goal", settings["size"], 0, "cell of the goal"), ACTIONS

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], batch: Batch) -> GridSimulation:
        return DarkRoomSimulation(parameters, batch, settings["size"], settings["once"])


class DarkRoomSimulation(GridSimulation):
    """B rooms."""

    def __init__(self, parameters: tuple[Parameter, ...], batch: Batch, size: int, once: bool) -> None:
        super().__init__(parameters, batch, size, start=(size // 2) * (size + 1))
        self.may_terminate = once

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        self.walk(action, active)
        at_goal = (self.cell == self.places["goal"]).logical_and_(active)
        reward = at_goal.float()
        self.reward_terms = {"goal": reward}
        return Outcome(reward, at_goal if self.may_terminate else self.none_terminated, self.no_flags)
