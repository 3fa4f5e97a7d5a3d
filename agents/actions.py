"""How a policy acts in an action space: numbers in a box, or one of n actions."""

from __future__ import annotations

from abc import ABC, abstractmethod

import gymnasium as gym
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from metarl.agents.action_laws import Categorical, Gaussian, Law
from metarl.agents.noise import Noise
from metarl.errors import MetarlError


class Actions(ABC):
    """An action space, as a policy's network sees it."""

    outputs: int  # numbers the network puts out
    seen_size: int  # numbers by which an agent sees its last action
    stds: int  # standard deviations learned beside the network's output

    @abstractmethod
    def law(self, out: Tensor, log_std: Tensor) -> Law:
        """The law of the action, from the network's output [..., outputs] and the learned log_std [..., stds]."""

    @abstractmethod
    def noise(self, noise: Noise, out: Tensor) -> Tensor:
        """What the law of actions is sampled with, for outputs [..., outputs]; of these the shape alone counts."""

    @abstractmethod
    def applied(self, action: Tensor) -> Tensor:
        """What the world is given."""

    @abstractmethod
    def seen(self, action: Tensor) -> Tensor:
        """float32 [..., seen_size]: the action as an agent sees it in its next input."""


class Continuous(Actions):
    """Actions in [-1, 1]^A by a Gaussian, cut to the box where they are applied."""

    def __init__(self, size: int) -> None:
        self.outputs = self.seen_size = self.stds = size

    def law(self, out: Tensor, log_std: Tensor) -> Gaussian:
        return Gaussian(out, log_std)

    def noise(self, noise: Noise, out: Tensor) -> Tensor:
        return noise.normal(out)

    def applied(self, action: Tensor) -> Tensor:
        return action.clamp(-1.0, 1.0)

    def seen(self, action: Tensor) -> Tensor:
        return action.clamp(-1.0, 1.0)


class Discrete(Actions):
    """One of n actions by a categorical law, seen as a one-hot vector."""

    stds = 0

    def __init__(self, n: int) -> None:
        self.outputs = self.seen_size = n

    def law(self, out: Tensor, log_std: Tensor) -> Categorical:
        return Categorical(out)

    def noise(self, noise: Noise, out: Tensor) -> Tensor:
        return noise.exponential(out)

    def applied(self, action: Tensor) -> Tensor:
        return action

    def seen(self, action: Tensor) -> Tensor:
        return one_hot(action, self.outputs).to(torch.float32)


def actions_of(space: gym.Space) -> Actions:
    """How to act in `space`; MetarlError for a space no agent here acts in."""
    if isinstance(space, gym.spaces.Discrete) and space.start == 0:
        return Discrete(int(space.n))
    if isinstance(space, gym.spaces.Box) and len(space.shape) == 1:
        return Continuous(space.shape[0])
    raise MetarlError(f"this agent acts by vectors in a Box or in a Discrete space from 0, not by {space}")
