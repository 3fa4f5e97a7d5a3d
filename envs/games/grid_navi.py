"""GridNavi: a search for a hidden cell of a grid."""

from __future__ import annotations

import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Outcome
from metarl.envs.games.game import Batch, Game, Settings
from metarl.envs.games.grid import ACTIONS, GridSimulation, cell_parameter
from metarl.tasks.parameter import Parameter


class GridNavi(Game):
    r"""A walk on an n x n grid to a cell that is not observed (Zintgraf et al. 2020, VariBAD).

    Settings: `size` n (5).

    Action, `Discrete(5)`: stay, up, right, down, left; a move into a wall has no effect.

    Observation, 2n numbers: x one-hot, y one-hot.

    Reward (term `goal`): +1 for each step that ends on the goal, else -0.1. Episodes end only by the horizon.

    Start: (0, 0). Parameters: `goal` (x, y); `actions`, a permutation of the actions' effects.
    """

    name = "GridNavi"
    defaults = {"size": 5}

    def task_parameters(self, settings: Settings) -> tuple[Parameter, ...]:
        size = settings["size"]
        return cell_parameter("goal", size, size - 1, "cell of the goal"), ACTIONS

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], batch: Batch) -> GridSimulation:
        return GridNaviSimulation(parameters, batch, settings["size"], start=0)


class GridNaviSimulation(GridSimulation):
    """B walkers."""

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        self.walk(action, active)
        reward = torch.where(self.cell == self.places["goal"], 1.0, -0.1).mul_(active)
        self.reward_terms = {"goal": reward}
        return Outcome(reward, self.none_terminated, self.no_flags)
