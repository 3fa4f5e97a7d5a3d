"""What bandit algorithms share: how often each arm was pulled, what it paid, and fair ties."""

from __future__ import annotations

from abc import ABC, abstractmethod

import gymnasium as gym
import torch
from torch import Tensor

from metarl.core.rng import generator
from metarl.core.trials import Step
from metarl.errors import MetarlError


class ArmsAgent(ABC):
    """Pulls the arm of the highest score, a random one of the highest where several are."""

    def __init__(self, action_space: gym.Space, seed: int) -> None:
        if not isinstance(action_space, gym.spaces.Discrete):
            raise MetarlError(f"a bandit algorithm pulls one of a few arms, it does not act in {action_space}")
        self.arms = int(action_space.n)
        self.seed = seed

    @abstractmethod
    def scores(self) -> Tensor:
        """[B, k]: how much each arm is worth pulling now."""

    def begin(self, num_envs: int) -> None:
        self.pulls = torch.zeros(num_envs, self.arms)  # of each arm, so far
        self.paid = torch.zeros(num_envs, self.arms)  # sums of rewards
        self.time = 0  # pulls so far, of all arms
        self.generator = generator(self.seed, type(self).__name__)

    def act(self, obs: Tensor) -> Tensor:
        scores = self.scores()
        best = scores == scores.amax(1, keepdim=True)
        self.arm = (best * (1.0 + self.random(*scores.shape))).argmax(1)
        return self.arm.to(obs.device)

    def observe(self, step: Step) -> None:
        alive = (~step.resting).cpu().float()
        self.pulls.scatter_add_(1, self.arm[:, None], alive[:, None])
        self.paid.scatter_add_(1, self.arm[:, None], (step.reward.cpu() * alive)[:, None])
        self.time += 1

    def random(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1) of the agent's own."""
        return torch.rand(shape, generator=self.generator)

    def posterior_mean(self) -> Tensor:
        """[B, k]: mean of the Beta posterior under a uniform prior, (successes + 1) / (pulls + 2)."""
        return (self.paid + 1.0) / (self.pulls + 2.0)
