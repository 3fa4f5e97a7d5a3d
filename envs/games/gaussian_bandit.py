"""GaussianBandit: arms with Gaussian rewards."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Outcome
from metarl.envs.games.bandit import ArmsSimulation
from metarl.envs.games.game import Batch, Game, Settings, bars
from metarl.tasks.parameter import Parameter


class GaussianBandit(Game):
    r"""A bandit with k arms; arm i yields the reward $\mu_i + \sigma \epsilon$, $\epsilon \sim N(0, 1)$.

    Each pull is an episode of one step.

    Settings: `arms` k (5); `noise` $\sigma$ (1.0).

    Action, `Discrete(k)`: the arm. Observation: the constant 0. Reward (term `arm`): that of the arm.

    Parameters: `means` $(\mu_1, ..., \mu_k)$.
    """

    name = "GaussianBandit"
    defaults = {"arms": 5, "noise": 1.0}

    def task_parameters(self, settings: Settings) -> tuple[Parameter, ...]:
        return (Parameter("means", (settings["arms"],), doc="mean reward of each arm"),)

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], batch: Batch) -> GaussianSimulation:
        return GaussianSimulation(parameters, batch, settings["arms"], settings["noise"])


class GaussianSimulation(ArmsSimulation):
    """B Gaussian bandits."""

    def __init__(self, parameters: tuple[Parameter, ...], batch: Batch, arms: int, noise: float) -> None:
        super().__init__(parameters, batch, arms)
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

    def mean_rewards(self, index: int) -> np.ndarray:
        return self.means[index].cpu().numpy()

    def picture(self, index: int) -> np.ndarray:
        return bars((self.mean_rewards(index) + 3) / 6, int(self.pulled[index]))
