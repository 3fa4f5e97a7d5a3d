"""The base class of bandit algorithms: pulls and rewards of each arm, and ties broken at random."""

from __future__ import annotations

from abc import ABC, abstractmethod

import gymnasium as gym
import torch
from torch import Tensor

from metarl.core.rng import generator
from metarl.core.trials import Step
from metarl.errors import MetarlError


class ArmsAgent(ABC):
    """An agent that pulls the arm of the highest score; ties are broken at random."""

    def __init__(self, action_space: gym.Space, seed: int) -> None:
        if not isinstance(action_space, gym.spaces.Discrete):
            raise MetarlError(f"a bandit algorithm needs a Discrete space with an action per arm, not {action_space}")
        self.arms = int(action_space.n)
        self.seed = seed

    @abstractmethod
    def scores(self) -> Tensor:
        """Return the score of each arm [B, k]."""

    def begin(self, num_envs: int) -> None:
        self.pulls = torch.zeros(num_envs, self.arms)  # of each arm so far
        self.reward_sums = torch.zeros(num_envs, self.arms)  # of each arm so far
        self.time = 0  # pulls of all arms so far
        self.generator = generator(self.seed, type(self).__name__)

    def act(self, obs: Tensor) -> Tensor:
        scores = self.scores()
        best = scores == scores.amax(1, keepdim=True)
        self.arm = (best * (1.0 + self.random(*scores.shape))).argmax(1)
        return self.arm.to(obs.device)

    def observe(self, step: Step) -> None:
        taken = (~step.resting).cpu().float()
        self.pulls.scatter_add_(1, self.arm[:, None], taken[:, None])
        self.reward_sums.scatter_add_(1, self.arm[:, None], (step.reward.cpu() * taken)[:, None])
        self.time += 1

    def random(self, *shape: int) -> Tensor:
        """Return uniform numbers in [0, 1) from the agent's generator."""
        return torch.rand(shape, generator=self.generator)

    def posterior_mean(self) -> Tensor:
        """Return the mean of the Beta posterior under a uniform prior, (successes + 1) / (pulls + 2), [B, k]."""
        return (self.reward_sums + 1.0) / (self.pulls + 2.0)
