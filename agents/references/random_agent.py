"""An agent that acts at random, the lower anchor of scores."""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium as gym
import torch
from torch import Tensor

from metarl.checks import check_whole
from metarl.core.rng import generator
from metarl.core.trials import Step
from metarl.errors import MetarlError


@dataclass(frozen=True)
class RandomSettings:
    """Settings of the random agent."""

    seed: int = 0
    """seed of the actions"""

    def __post_init__(self) -> None:
        check_whole(self, "seed", low=0)


class RandomAgent:
    """An agent with uniformly random actions. They are the same in every trial with the same number of environments."""

    def __init__(self, action_space: gym.Space, settings: RandomSettings) -> None:
        if not isinstance(action_space, gym.spaces.Box | gym.spaces.Discrete):
            raise MetarlError(f"the random agent acts in a Box or a Discrete space, not in {action_space}")
        self.action_space = action_space
        self.settings = settings

    def begin(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.generator = generator(self.settings.seed, "random agent")

    def act(self, obs: Tensor) -> Tensor:
        shape = (self.num_envs, *(self.action_space.shape or ()))
        if isinstance(self.action_space, gym.spaces.Discrete):
            return torch.randint(int(self.action_space.n), shape, generator=self.generator).to(obs.device)
        return torch.rand(shape, generator=self.generator).to(obs.device) * 2 - 1

    def observe(self, step: Step) -> None:
        """The agent does not learn."""
