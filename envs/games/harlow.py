"""Harlow: two objects, one of which is rewarded."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Outcome
from metarl.envs.games.game import Batch, Game, GameSimulation, Settings
from metarl.tasks.parameter import Parameter

NEVER = 10**6  # a reversal step beyond any horizon


class Harlow(Game):
    r"""Two new objects in each episode, on sides that change randomly; one is better (Harlow 1949; Wang et al. 2018).

    Settings: `features` F (6), the size of an object's feature vector.

    Action, `Discrete(2)`: left, right. Observation, 2F numbers in [-1, 1]: the features of the left and of the right
    object.

    Reward (term `object`): 1 with probability `reliability` for the better object and with 1 - `reliability` for the
    other, else 0. From step `reversal` on, the other object is the better one. Episodes end only by the horizon.

    Start: random objects and sides in each episode. Parameters: `reliability`; `reversal`.
    """

    name = "Harlow"
    defaults = {"features": 6}

    def task_parameters(self, settings: Settings) -> tuple[Parameter, ...]:
        return (
            Parameter("reliability", low=0.5, high=1, neutral=1, doc="probability of reward 1 for the better object"),
            Parameter(
                "reversal",
                unit="step",
                low=0,
                neutral=NEVER,
                integer=True,
                doc="step at which the better object changes",
            ),
        )

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], batch: Batch) -> HarlowSimulation:
        return HarlowSimulation(parameters, batch, settings["features"])


class HarlowSimulation(GameSimulation):
    """B pairs of objects; object 0 is the better one before the reversal."""

    def __init__(self, parameters: tuple[Parameter, ...], batch: Batch, features: int) -> None:
        super().__init__(parameters, batch)
        self.features = features
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (2 * features,), np.float32)
        self.action_space = gym.spaces.Discrete(2)
        self.objects = torch.zeros(batch.num_envs, 2, features, device=batch.device)
        self.left = torch.zeros(batch.num_envs, dtype=torch.int64, device=batch.device)  # index of the left object
        self.time = torch.zeros_like(self.left)

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        drawn = random.uniform("objects", (2, self.features)) * 2 - 1
        self.objects = torch.where(mask[:, None, None], drawn, self.objects)
        self.left = torch.where(mask, random.integers("first sides", 2), self.left)
        self.time = self.time.masked_fill(mask, 0)

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        chosen = self.left ^ action
        better = self._better()
        reliable = random.uniform("pay") < self.task["reliability"]
        reward = (((chosen == better) == reliable) & active).float()
        self.time = self.time + active
        self.left = torch.where(active, random.integers("sides", 2), self.left)
        self.reward_terms = {"object": reward}
        return Outcome(reward, self.none_terminated, self.no_flags)

    def observe(self) -> Tensor:
        swapped = self.left.bool()[:, None, None]
        return torch.where(swapped, self.objects.flip(1), self.objects).flatten(1)

    def _better(self) -> Tensor:
        return (self.time >= self.task["reversal"]).long()

    def text(self, index: int) -> str:
        """Return the names of both objects; `*` marks the better one."""
        better, left = int(self._better()[index]), int(self.left[index])
        names = [f"{'*' if item == better else ' '} object {'AB'[item]}" for item in (left, 1 - left)]
        return " | ".join(names)

    def picture(self, index: int) -> np.ndarray:
        """Draw a row of features per object, left above right; a green square marks the better one."""
        left = int(self.left[index])
        features = self.objects[index].cpu().numpy()[[left, 1 - left]]
        grey = ((features + 1) / 2 * 255).astype(np.uint8)[..., None].repeat(3, 2)
        mark = np.full((2, 1, 3), 235, np.uint8)
        mark[int(self._better()[index]) ^ left] = (60, 160, 90)
        return np.concatenate([mark, grey], 1)
