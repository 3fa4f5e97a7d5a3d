"""Bernoulli bandits: arms that pay 1 or nothing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Appearance, Outcome
from metarl.envs.games.game import Game, GameSimulation, Lanes, Settings, bars
from metarl.errors import MetarlError
from metarl.tasks.parameter import Parameter


class Bandit(Game):
    r"""k arms; arm i pays 1 with probability p_i, else 0 (Duan et al. 2016). Each pull is an episode of one step.

    Settings: `arms` k (5); `linked` (False): two arms whose probabilities sum to one (Wang et al. 2016).

    Action, `Discrete(k)`: the arm. Observation: the number 0, always. Reward (term `arm`): what the arm pays.

    Parameters: `probabilities` (p_1, ..., p_k); linked, `probability` p of the first arm, 1 - p of the second.
    """

    name = "Bandit"
    defaults = {"arms": 5, "linked": False}

    def understood(self, settings: Settings) -> tuple[Parameter, ...]:
        if not settings["linked"]:
            arms = settings["arms"]
            return (Parameter("probabilities", (arms,), low=0, high=1, neutral=0.5, doc="that each arm pays"),)
        if settings["arms"] != 2:
            raise MetarlError(f"linked arms are two: set arms to 2, not {settings['arms']}")
        return (Parameter("probability", low=0, high=1, neutral=0.5, doc="that the first arm pays; the second: 1 - p"),)

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], lanes: Lanes) -> BernoulliSimulation:
        return BernoulliSimulation(parameters, lanes, settings["arms"])


class ArmsSimulation(GameSimulation):
    """B bandits without anything to see."""

    may_terminate = True  # with every pull
    appearance = Appearance(starts_alike=True, seldom_changes=True)

    def __init__(self, parameters: tuple[Parameter, ...], lanes: Lanes, arms: int) -> None:
        super().__init__(parameters, lanes)
        self.observation_space = gym.spaces.Box(0.0, 1.0, (1,), np.float32)
        self.action_space = gym.spaces.Discrete(arms)
        self.pulled = torch.full((lanes.num_envs,), -1, device=lanes.device)  # for pictures

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        """Nothing to put back: a bandit has no state."""

    def observe(self) -> Tensor:
        return torch.zeros(self.num_envs, 1, device=self.device)

    def text(self, index: int) -> str:
        """What each arm is worth; `>` is the one pulled last."""
        pulled = int(self.pulled[index])
        lines = [f"{'>' if i == pulled else ' '} arm {i}  {value:.2f}" for i, value in enumerate(self.worth(index))]
        return "\n".join(lines)

    @abstractmethod
    def worth(self, index: int) -> np.ndarray:
        """[k]: the arms' mean rewards."""


class BernoulliSimulation(ArmsSimulation):
    """B Bernoulli bandits."""

    def assign(self, task: Mapping[str, Tensor], mask: Tensor) -> None:
        super().assign(task, mask)
        if "probability" in self.task:
            first = self.task["probability"]
            self.probabilities = torch.stack([first, 1 - first], 1).float()
        else:
            self.probabilities = self.task["probabilities"].float()

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        self.pulled = action
        chance = self.probabilities.gather(1, action[:, None])[:, 0]
        reward = (random.uniform("pay") < chance).logical_and_(active).float()
        self.reward_terms = {"arm": reward}
        return Outcome(reward, active, self.no_flags)

    def worth(self, index: int) -> np.ndarray:
        return self.probabilities[index].cpu().numpy()

    def picture(self, index: int) -> np.ndarray:
        return bars(self.worth(index), int(self.pulled[index]))
