"""Action spaces as policies use them: vectors in a box, or one of n actions."""

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
    """An action space: the outputs that a policy's network needs for it, and the actions made of them."""

    outputs: int  # P, the network's outputs: parameters of the action distribution
    encoded_size: int  # size of an encoded action, an input of agents with memory
    stds: int  # standard deviations that are parameters, not outputs of the network

    @abstractmethod
    def dist(self, dist_params: Tensor, log_std: Tensor) -> ActionDistribution:
        """Return the action distribution for the network's outputs [..., outputs] and log_std [..., stds]."""

    @abstractmethod
    def draw(self, noise: ActionNoise, dist_params: Tensor) -> Tensor:
        """Draw the noise for `sample` of the distribution. Only the shape of dist_params [..., outputs] is used."""

    @abstractmethod
    def clip(self, action: Tensor) -> Tensor:
        """Return the action that the environment takes."""

    @abstractmethod
    def encode(self, action: Tensor) -> Tensor:
        """Return the action as part of a policy's next input, float32 [..., encoded_size]."""

    def choose(self, dist: ActionDistribution, noise: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the action for the environment, and the sample before clipping; the mode if `noise` is None."""
        sample = dist.mode() if noise is None else dist.sample(noise)
        return self.clip(sample), sample


class Continuous(ActionSpace):
    """Gaussian actions, clipped to [-1, 1]^A for the environment."""

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
    """One of n actions from a categorical distribution, encoded as a one-hot vector."""

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
    """Return the action space for `space`; raise MetarlError unless it is a vector Box or a Discrete space from 0."""
    if isinstance(space, gym.spaces.Discrete) and space.start == 0:
        return Discrete(int(space.n))
    if isinstance(space, gym.spaces.Box) and len(space.shape) == 1:
        return Continuous(space.shape[0])
    raise MetarlError(f"this agent acts in a Box of vectors or in a Discrete space that starts at 0, not in {space}")
