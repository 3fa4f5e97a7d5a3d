"""SymbolicAlchemy: stones that potions transform, by a hidden chemistry that is constant within a trial."""

from __future__ import annotations

from collections.abc import Mapping

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Appearance, Outcome
from metarl.envs.games.alchemy import chemistry
from metarl.envs.games.alchemy.chemistry import COLOURS, VERTICES
from metarl.envs.games.game import Batch, Game, GameSimulation, Settings
from metarl.tasks.parameter import Parameter

STONES, POTIONS = 3, 12
MAX_INDICATOR = 3  # of a stone's value; larger values are observed as this one


class SymbolicAlchemy(Game):
    r"""Three stones, twelve potions and a cauldron (Wang et al. 2021); the paper's trial is an episode here.

    Action, `Discrete(40)`: 0 no operation; 1 + 13 i: put stone i into the cauldron; 1 + 13 i + j: put stone i into
    potion j (1 to 12). Every use consumes the potion, also without effect. Consumed stones and potions have no effect.

    Observation, 39 numbers in [-1, 1]: for each stone its colour, size and roundness (-1, 0, 1), an indicator of its
    value (-1, -1/3, 1/3 or 1) and whether it is consumed (0, 1); for each potion its colour (0 to 5, scaled to [-1, 1])
    and whether it is consumed. The other numbers of consumed stones and potions are 0.

    Reward (term `cauldron`): the stone's value: -3, -1, 1, or 15 for the best corner.

    Start: uniformly random stones and potions. By the rules of the game, the appearance of stones depends on the task.

    Parameters: the chemistry, see `metarl.envs.games.alchemy.chemistry`.
    """

    name = "SymbolicAlchemy"

    def task_parameters(self, settings: Settings) -> tuple[Parameter, ...]:
        sizes = {
            "stone_map": (chemistry.STONE_MAPS, "sign of each stone feature"),
            "rotation": (chemistry.ROTATIONS, "rotation of the features relative to the latent cube"),
            "potion_map": (chemistry.POTION_MAPS, "axis and direction of each potion colour"),
            "graph": (chemistry.GRAPHS, "edges of the cube: 0 all; from 1, 13 and 61 on with 1, 2 and 3 bottlenecks"),
        }
        return tuple(
            Parameter(name, low=0, high=size - 1, integer=True, doc=doc) for name, (size, doc) in sizes.items()
        )

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], batch: Batch) -> AlchemySimulation:
        return AlchemySimulation(parameters, batch)


class AlchemySimulation(GameSimulation):
    """B games, each with its own chemistry."""

    appearance = Appearance(shows_task=True)

    def __init__(self, parameters: tuple[Parameter, ...], batch: Batch) -> None:
        super().__init__(parameters, batch)
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (5 * STONES + 2 * POTIONS,), np.float32)
        self.action_space = gym.spaces.Discrete(1 + STONES * (1 + POTIONS))
        table = {"values": chemistry.values(), "moves": chemistry.moves(), "looks": chemistry.looks()}
        self._values, moves, looks = (torch.tensor(a, device=self.device) for a in table.values())
        self._moves, self._looks = moves.flatten(), looks.flatten(0, 2).float()
        blank = torch.zeros(batch.num_envs, dtype=torch.int64, device=self.device)
        self.stones = blank[:, None].repeat(1, STONES)  # corners
        self.stones_used = self.stones.bool()
        self.potions = blank[:, None].repeat(1, POTIONS)  # colours
        self.potions_used = self.potions.bool()
        self.assign({}, self.none_terminated)

    def assign(self, task: Mapping[str, Tensor], mask: Tensor) -> None:
        super().assign(task, mask)
        # The first indices of the task's entries in the flattened tables.
        row = self.task["graph"] * chemistry.POTION_MAPS + self.task["potion_map"]
        self._first_move = row * (VERTICES * COLOURS)
        self._first_look = (self.task["stone_map"] * chemistry.ROTATIONS + self.task["rotation"]) * VERTICES

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        mask = mask[:, None]
        self.stones = torch.where(mask, random.integers("stones", VERTICES, (STONES,)), self.stones)
        self.potions = torch.where(mask, random.integers("potions", COLOURS, (POTIONS,)), self.potions)
        self.stones_used = self.stones_used & ~mask
        self.potions_used = self.potions_used & ~mask

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        stone = ((action - 1).clamp(min=0) // (1 + POTIONS))[:, None]
        into = ((action - 1) % (1 + POTIONS))[:, None]  # 0 the cauldron
        potion = (into - 1).clamp(min=0)
        possible = (active & (action > 0))[:, None] & ~self.stones_used.gather(1, stone)
        sold = possible & (into == 0)
        dipped = possible & (into > 0) & ~self.potions_used.gather(1, potion)

        before = self.stones.gather(1, stone)
        reward = (self._values[before] * sold).squeeze(1).float()
        after = self._moves[self._first_move[:, None] + before * COLOURS + self.potions.gather(1, potion)]
        self.stones = self.stones.scatter(1, stone, torch.where(dipped, after, before))
        self.stones_used = self.stones_used.scatter(1, stone, self.stones_used.gather(1, stone) | sold)
        self.potions_used = self.potions_used.scatter(1, potion, self.potions_used.gather(1, potion) | dipped)
        self.reward_terms = {"cauldron": reward}
        return Outcome(reward, self.none_terminated, self.no_flags)

    def observe(self) -> Tensor:
        indicator = self._values[self.stones].clamp(max=MAX_INDICATOR).float()[..., None] / MAX_INDICATOR
        features = torch.cat([self._looks[self._first_look[:, None] + self.stones], indicator], 2)
        used = self.stones_used[..., None]
        stones = torch.cat([features.masked_fill(used, 0.0), used.float()], 2)
        colours = (self.potions * (2 / (COLOURS - 1)) - 1).masked_fill(self.potions_used, 0.0)
        potions = torch.stack([colours, self.potions_used.float()], 2)
        return torch.cat([stones.flatten(1), potions.flatten(1)], 1)

    def text(self, index: int) -> str:
        """Return the stones' coordinates and the potions' colour numbers; "." for consumed ones."""
        signs = ["".join("+" if c > 0 else "-" for c in corner) for corner in chemistry.CORNERS]
        stones = zip(self.stones[index].tolist(), self.stones_used[index].tolist(), strict=True)
        potions = zip(self.potions[index].tolist(), self.potions_used[index].tolist(), strict=True)
        above = " ".join("..." if used else signs[vertex] for vertex, used in stones)
        below = "".join("." if used else str(colour) for colour, used in potions)
        return f"{above:12}\n{below:12}"

    def picture(self, index: int) -> np.ndarray:
        """Draw stones, coloured by their coordinates, above potions in two rows of six; consumed ones are black."""
        hues = np.array([(220, 60, 60), (60, 220, 220), (60, 200, 60), (220, 60, 220), (70, 70, 230), (220, 220, 60)])
        out = np.zeros((5, 6, 3), np.uint8)
        corners = chemistry.CORNERS[self.stones[index].cpu().numpy()] * 95 + 150
        out[0, ::2] = np.where(self.stones_used[index].cpu().numpy()[:, None], 0, corners)
        colours = hues[self.potions[index].cpu().numpy()]
        out[2::2] = np.where(self.potions_used[index].cpu().numpy()[:, None], 0, colours).reshape(2, 6, 3)
        return out
