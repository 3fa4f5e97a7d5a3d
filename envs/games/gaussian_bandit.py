"""Gaussian bandits: arms that pay a mean and noise."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Outcome
from metarl.envs.games.bandit import ArmsSimulation
from metarl.envs.games.game import Game, Lanes, Settings, bars
from metarl.tasks.parameter import Parameter


class GaussianBandit(Game):
    r"""k arms; arm i pays $\mu_i + \sigma \epsilon$, $\epsilon \sim N(0, 1)$. Each pull is an episode of one step.

    Settings: `arms` k (5); `noise` $\sigma$ (1.0).

    Action, `Discrete(k)`: the arm. Observation: the number 0, always. Reward (term `arm`): what the arm pays.

    Parameters: `means` $(\mu_1, ..., \mu_k)$.
    """

    name = "GaussianBandit"
    defaults = {"arms": 5, "noise": 1.0}

    def understood(self, settings: Settings) -> tuple[Parameter, ...]:
        return (Parameter("means", (settings["arms"],), doc="what each arm pays on average"),)

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], lanes: Lanes) -> GaussianSimulation:
        return GaussianSimulation(parameters, lanes, settings["arms"], settings["noise"])


class GaussianSimulation(ArmsSimulation):
    """B Gaussian bandits."""

    def __init__(self, parameters: tuple[Parameter, ...], lanes: Lanes, arms: int, noise: float) -> None:
        super().__init__(parameters, lanes, arms)
        self.noise = noise

    def assign(self, task: Mapping[str, Tensor], mask: Tensor) -> None:
        super().assign(task, mask)
        self.means = self.task["means"].float()

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        self.pulled = action
        reward = self.means.gather(1, action[:, None])[:, 0] + self.noise * random.normal("pay")
        reward = reward * active
        self.reward_terms = {"arm": reward}
        return Outcome(reward, active, self.no_flags)

    def worth(self, index: int) -> np.ndarray:
        return self.means[index].cpu().numpy()

    def picture(self, index: int) -> np.ndarray:
        return bars((self.worth(index) + 3) / 6, int(self.pulled[index]))
