"""How a policy acts in an action space: numbers in a box, or one of n actions."""

from __future__ import annotations

from abc import ABC, abstractmethod

import gymnasium as gym
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from metarl.agents.action_distributions import ActionDistribution, Categorical, Gaussian
from metarl.agents.action_noise import ActionNoise
from metarl.errors import MetarlError


class ActionSpace(ABC):
    """An action space, as a policy's network sees it."""

    outputs: int  # parameters of the distribution that the network puts out
    encoded_size: int  # numbers by which an agent sees its last action
    stds: int  # standard deviations learned beside the network's output

    @abstractmethod
    def dist(self, dist_params: Tensor, log_std: Tensor) -> ActionDistribution:
        """Return the distribution of actions, from the network's output [..., outputs] and log_std [..., stds]."""

    @abstractmethod
    def draw(self, noise: ActionNoise, dist_params: Tensor) -> Tensor:
        """Draw the numbers that `sample` of the distribution needs; of dist_params [..., outputs] the shape counts."""

    @abstractmethod
    def clip(self, action: Tensor) -> Tensor:
        """Return the action that the world is given."""

    @abstractmethod
    def encode(self, action: Tensor) -> Tensor:
        """Return float32 [..., encoded_size]: the action as an agent sees it in its next input."""

    def choose(self, dist: ActionDistribution, noise: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return an action for the world, and the same as sampled; the mode where there is no noise."""
        sample = dist.mode() if noise is None else dist.sample(noise)
        return self.clip(sample), sample


class Continuous(ActionSpace):
    """Actions in [-1, 1]^A by a Gaussian, clipped to the box where they are applied."""

    def __init__(self, size: int) -> None:
        self.outputs = self.encoded_size = self.stds = size

    def dist(self, dist_params: Tensor, log_std: Tensor) -> Gaussian:
        return Gaussian(dist_params, log_std)

    def draw(self, noise: ActionNoise, dist_params: Tensor) -> Tensor:
        return noise.normal(dist_params)

    def clip(self, action: Tensor) -> Tensor:
        return action.clamp(-1.0, 1.0)

    def encode(self, action: Tensor) -> Tensor:
        return action.clamp(-1.0, 1.0)


class Discrete(ActionSpace):
    """One of n actions by a categorical distribution, seen as a one-hot vector."""

    stds = 0

    def __init__(self, n: int) -> None:
        self.outputs = self.encoded_size = n

    def dist(self, dist_params: Tensor, log_std: Tensor) -> Categorical:
        return Categorical(dist_params)

    def draw(self, noise: ActionNoise, dist_params: Tensor) -> Tensor:
        return noise.exponential(dist_params)

    def clip(self, action: Tensor) -> Tensor:
        return action

    def encode(self, action: Tensor) -> Tensor:
        return one_hot(action, self.outputs).to(torch.float32)


def action_space_of(space: gym.Space) -> ActionSpace:
    """Return how to act in `space`; MetarlError for a space that these agents do not act in."""
    if isinstance(space, gym.spaces.Discrete) and space.start == 0:
        return Discrete(int(space.n))
    if isinstance(space, gym.spaces.Box) and len(space.shape) == 1:
        return Continuous(space.shape[0])
    raise MetarlError(f"this agent acts by vectors in a Box or in a Discrete space from 0, not by {space}")
