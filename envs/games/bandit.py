"""Bandit: arms with Bernoulli rewards."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Appearance, Outcome
from metarl.envs.games.game import Batch, Game, GameSimulation, Settings, bars
from metarl.errors import MetarlError
from metarl.tasks.parameter import Parameter


class Bandit(Game):
    r"""A bandit with k arms; arm i yields reward 1 with probability p_i, else 0 (Duan et al. 2016).

    Each pull is an episode of one step.

    Settings: `arms` k (5); `linked` (False): two arms whose probabilities sum to one (Wang et al. 2016).

    Action, `Discrete(k)`: the arm. Observation: the constant 0. Reward (term `arm`): that of the arm.

    Parameters: `probabilities` (p_1, ..., p_k); if linked, `probability` p of the first arm, with 1 - p of the second.
    """

    name = "Bandit"
    defaults = {"arms": 5, "linked": False}

    def task_parameters(self, settings: Settings) -> tuple[Parameter, ...]:
        if not settings["linked"]:
            arms = settings["arms"]
            doc = "probability of reward 1 of each arm"
            return (Parameter("probabilities", (arms,), low=0, high=1, neutral=0.5, doc=doc),)
        if settings["arms"] != 2:
            raise MetarlError(f"linked arms are two: set arms to 2, not {settings['arms']}")
        doc = "probability p of reward 1 of the first arm; 1 - p of the second"
        return (Parameter("probability", low=0, high=1, neutral=0.5, doc=doc),)

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], batch: Batch) -> BernoulliSimulation:
        return BernoulliSimulation(parameters, batch, settings["arms"])


class ArmsSimulation(GameSimulation):
    """B bandits, without observations."""

    may_terminate = True  # every pull terminates the episode
    appearance = Appearance(starts_alike=True, seldom_changes=True)

    def __init__(self, parameters: tuple[Parameter, ...], batch: Batch, arms: int) -> None:
        super().__init__(parameters, batch)
        self.observation_space = gym.spaces.Box(0.0, 1.0, (1,), np.float32)
        self.action_space = gym.spaces.Discrete(arms)
        self.pulled = torch.full((batch.num_envs,), -1, device=batch.device)  # the last arms, for pictures

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        """Do nothing: a bandit has no state."""

    def observe(self) -> Tensor:
        return torch.zeros(self.num_envs, 1, device=self.device)

    def text(self, index: int) -> str:
        """Return the mean reward of each arm; `>` marks the arm pulled last."""
        pulled, means = int(self.pulled[index]), self.mean_rewards(index)
        lines = [f"{'>' if i == pulled else ' '} arm {i}  {mean:.2f}" for i, mean in enumerate(means)]
        return "\n".join(lines)

    @abstractmethod
    def mean_rewards(self, index: int) -> np.ndarray:
        """Return the arms' mean rewards [k]."""


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
        probability = self.probabilities.gather(1, action[:, None])[:, 0]
        reward = (random.uniform("pay") < probability).logical_and_(active).float()
        self.reward_terms = {"arm": reward}
        return Outcome(reward, active, self.no_flags)

    def mean_rewards(self, index: int) -> np.ndarray:
        return self.probabilities[index].cpu().numpy()

    def picture(self, index: int) -> np.ndarray:
        return bars(self.mean_rewards(index), int(self.pulled[index]))
