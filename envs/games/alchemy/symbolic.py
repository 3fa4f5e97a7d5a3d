"""Symbolic Alchemy: stones that potions change, by samplers that hold for a whole trial and must be found out."""

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
from metarl.envs.games.game import Game, GameSimulation, Lanes, Settings
from metarl.tasks.parameter import Parameter

STONES, POTIONS = 3, 12
HIGHEST = 3  # of the indicator of a stone's worth


class SymbolicAlchemy(Game):
    r"""Three stones, twelve potions and a cauldron (Wang et al. 2021); an episode here is what they call a trial.

    Action, `Discrete(40)`: 0 nothing; 1 + 13 i: stone i into the cauldron; 1 + 13 i + j: stone i into potion j (1 to
    12). A potion is used up whatever it does; a stone or a potion that is used up does nothing more.

    Observation, 39 numbers in [-1, 1]: of each stone colour, size and roundness (-1, 0, 1), an indicator of its worth
    (-1, -1/3, 1/3 or 1) and whether it is used up (0, 1); of each potion its colour (0 to 5, as -1 to 1) and whether it
    is used up. Of what is used up the rest reads 0.

    Reward (term `cauldron`): the stone's value: -3, -1, 1, or 15 for the best corner.

    Start: stones and potions drawn evenly. How the stones look tells of the chemistry, by the game's own rules.

    Parameters: the chemistry, see `metarl.envs.games.alchemy.chemistry`.
    """

    name = "SymbolicAlchemy"

    def understood(self, settings: Settings) -> tuple[Parameter, ...]:
        sizes = {
            "stone_map": (chemistry.STONE_MAPS, "which way each feature runs"),
            "rotation": (chemistry.ROTATIONS, "how the features lie to the latent cube"),
            "potion_map": (chemistry.POTION_MAPS, "axis and direction of each potion's colour"),
            "graph": (chemistry.GRAPHS, "which edges the cube has: 0 all, from 1, 13 and 61 on 1, 2 and 3 bottlenecks"),
        }
        return tuple(
            Parameter(name, low=0, high=size - 1, integer=True, doc=doc) for name, (size, doc) in sizes.items()
        )

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], lanes: Lanes) -> AlchemySimulation:
        return AlchemySimulation(parameters, lanes)


class AlchemySimulation(GameSimulation):
    """B tables, each with a chemistry of its own."""

    appearance = Appearance(shows_task=True)

    def __init__(self, parameters: tuple[Parameter, ...], lanes: Lanes) -> None:
        super().__init__(parameters, lanes)
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (5 * STONES + 2 * POTIONS,), np.float32)
        self.action_space = gym.spaces.Discrete(1 + STONES * (1 + POTIONS))
        table = {"values": chemistry.values(), "moves": chemistry.moves(), "looks": chemistry.looks()}
        self._values, moves, looks = (torch.tensor(a, device=self.device) for a in table.values())
        self._moves, self._looks = moves.flatten(), looks.flatten(0, 2).float()
        blank = torch.zeros(lanes.num_envs, dtype=torch.int64, device=self.device)
        self.stones = blank[:, None].repeat(1, STONES)  # corners
        self.stones_used = self.stones.bool()
        self.potions = blank[:, None].repeat(1, POTIONS)  # colours
        self.potions_used = self.potions.bool()
        self.assign({}, self.nobody)

    def assign(self, task: Mapping[str, Tensor], mask: Tensor) -> None:
        super().assign(task, mask)
        sampler = self.task["graph"] * chemistry.POTION_MAPS + self.task["potion_map"]
        self._sampler = sampler * (VERTICES * COLOURS)
        self._look = (self.task["stone_map"] * chemistry.ROTATIONS + self.task["rotation"]) * VERTICES

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
        can = (active & (action > 0))[:, None] & ~self.stones_used.gather(1, stone)
        sold = can & (into == 0)
        dipped = can & (into > 0) & ~self.potions_used.gather(1, potion)

        before = self.stones.gather(1, stone)
        reward = (self._values[before] * sold).squeeze(1).float()
        after = self._moves[self._sampler[:, None] + before * COLOURS + self.potions.gather(1, potion)]
        self.stones = self.stones.scatter(1, stone, torch.where(dipped, after, before))
        self.stones_used = self.stones_used.scatter(1, stone, self.stones_used.gather(1, stone) | sold)
        self.potions_used = self.potions_used.scatter(1, potion, self.potions_used.gather(1, potion) | dipped)
        self.reward_terms = {"cauldron": reward}
        return Outcome(reward, self.nobody, self.no_flags)

    def observe(self) -> Tensor:
        worth = self._values[self.stones].clamp(max=HIGHEST).float()[..., None] / HIGHEST
        seen = torch.cat([self._looks[self._look[:, None] + self.stones], worth], 2)
        used = self.stones_used[..., None]
        stones = torch.cat([seen.masked_fill(used, 0.0), used.float()], 2)
        colours = (self.potions * (2 / (COLOURS - 1)) - 1).masked_fill(self.potions_used, 0.0)
        potions = torch.stack([colours, self.potions_used.float()], 2)
        return torch.cat([stones.flatten(1), potions.flatten(1)], 1)

    def text(self, index: int) -> str:
        """Stones by their corner's coordinates, potions by their colour's number; "." for what is used up."""
        signs = ["".join("+" if c > 0 else "-" for c in corner) for corner in chemistry.CORNERS]
        stones = zip(self.stones[index].tolist(), self.stones_used[index].tolist(), strict=True)
        potions = zip(self.potions[index].tolist(), self.potions_used[index].tolist(), strict=True)
        above = " ".join("..." if used else signs[vertex] for vertex, used in stones)
        below = "".join("." if used else str(colour) for colour, used in potions)
        return f"{above:12}\n{below:12}"

    def picture(self, index: int) -> np.ndarray:
        """Stones above, coloured by their coordinates; potions below in two rows of six; black where used up."""
        hues = np.array([(220, 60, 60), (60, 220, 220), (60, 200, 60), (220, 60, 220), (70, 70, 230), (220, 220, 60)])
        out = np.zeros((5, 6, 3), np.uint8)
        corners = chemistry.CORNERS[self.stones[index].cpu().numpy()] * 95 + 150
        out[0, ::2] = np.where(self.stones_used[index].cpu().numpy()[:, None], 0, corners)
        colours = hues[self.potions[index].cpu().numpy()]
        out[2::2] = np.where(self.potions_used[index].cpu().numpy()[:, None], 0, colours).reshape(2, 6, 3)
        return out
