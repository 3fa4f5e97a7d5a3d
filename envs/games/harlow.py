"""Harlow: two objects, one of which pays; learn to learn which."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Outcome
from metarl.envs.games.game import Game, GameSimulation, Lanes, Settings
from metarl.tasks.parameter import Parameter

NEVER = 10**6


class Harlow(Game):
    r"""Two new objects an episode, shown left and right in changing order; one pays (Harlow 1949; Wang et al. 2018).

    Settings: `features` F (6), numbers an object is seen as.

    Action, `Discrete(2)`: left, right. Observation, 2F numbers in [-1, 1]: the features of the left and of the right
    object.

    Reward (term `object`): 1 with probability `reliability` for the object that pays, with 1 - `reliability` for the
    other, else 0. From step `reversal` on the other one pays. Episodes end only by the horizon.

    Start: objects, sides and which one pays are drawn anew each episode. Parameters: `reliability`; `reversal`.
    """

    name = "Harlow"
    defaults = {"features": 6}

    def understood(self, settings: Settings) -> tuple[Parameter, ...]:
        return (
            Parameter("reliability", low=0.5, high=1, neutral=1, doc="that the better object pays"),
            Parameter(
                "reversal", unit="step", low=0, neutral=NEVER, integer=True, doc="when the other becomes the better"
            ),
        )

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], lanes: Lanes) -> HarlowSimulation:
        return HarlowSimulation(parameters, lanes, settings["features"])


class HarlowSimulation(GameSimulation):
    """B tables with two objects each; object 0 is the one that pays first."""

    def __init__(self, parameters: tuple[Parameter, ...], lanes: Lanes, features: int) -> None:
        super().__init__(parameters, lanes)
        self.features = features
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (2 * features,), np.float32)
        self.action_space = gym.spaces.Discrete(2)
        self.objects = torch.zeros(lanes.num_envs, 2, features, device=lanes.device)
        self.left = torch.zeros(lanes.num_envs, dtype=torch.int64, device=lanes.device)  # which object is left
        self.time = torch.zeros_like(self.left)

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        drawn = random.uniform("objects", (2, self.features)) * 2 - 1
        self.objects = torch.where(mask[:, None, None], drawn, self.objects)
        self.left = torch.where(mask, random.integers("first sides", 2), self.left)
        self.time = self.time.masked_fill(mask, 0)

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        chosen = self.left ^ action
        better = self._better()
        lucky = random.uniform("pay") < self.task["reliability"]
        reward = (((chosen == better) == lucky) & active).float()
        self.time = self.time + active
        self.left = torch.where(active, random.integers("sides", 2), self.left)
        self.reward_terms = {"object": reward}
        return Outcome(reward, self.nobody, self.no_flags)

    def observe(self) -> Tensor:
        swapped = self.left.bool()[:, None, None]
        return torch.where(swapped, self.objects.flip(1), self.objects).flatten(1)

    def _better(self) -> Tensor:
        return (self.time >= self.task["reversal"]).long()

    def text(self, index: int) -> str:
        """Both objects, `*` beside the one that pays."""
        better, left = int(self._better()[index]), int(self.left[index])
        names = [f"{'*' if thing == better else ' '} object {'AB'[thing]}" for thing in (left, 1 - left)]
        return " | ".join(names)

    def picture(self, index: int) -> np.ndarray:
        """A row an object's features, left above right; a green square marks the one that pays."""
        left = int(self.left[index])
        shown = self.objects[index].cpu().numpy()[[left, 1 - left]]
        grey = ((shown + 1) / 2 * 255).astype(np.uint8)[..., None].repeat(3, 2)
        mark = np.full((2, 1, 3), 235, np.uint8)
        mark[int(self._better()[index]) ^ left] = (60, 160, 90)
        return np.concatenate([mark, grey], 1)
