"""Actions of a policy: their distributions, the random numbers they are sampled with, and the action spaces."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import gymnasium as gym
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from metarl.errors import MetarlError
from metarl.runtime import distributed
from metarl.runtime.distributed import Shard

_HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


class Gaussian(NamedTuple):
    """A diagonal Gaussian over actions [..., A]; log-probabilities sum over action dimensions."""

    mean: Tensor  # [..., A]
    log_std: Tensor  # [A], or [..., A] that broadcasts

    def sample(self, noise: Tensor) -> Tensor:
        """Return a sample [..., A] from standard normal `noise` of the mean's shape."""
        return torch.addcmul(self.mean, noise, self.log_std.exp())

    def mode(self) -> Tensor:
        """Return the mean [..., A]."""
        return self.mean

    def log_prob(self, action: Tensor) -> Tensor:
        r"""Return $-\sum_i \frac12 ((a_i - \mu_i)/\sigma_i)^2 + \log\sigma_i + \frac12\log 2\pi$; [..., A] -> [...]."""
        peak = -_HALF_LOG_TAU * action.shape[-1] - self.log_std.sum(-1)  # the log-density at the mean
        return peak - _half_squares(action, self.mean, self.log_std)

    def entropy(self) -> Tensor:
        r"""Return $\sum_i \log\sigma_i + \frac{1}{2}\log 2\pi e$, of the shape of log_std without its last axis."""
        return self.log_std.sum(-1) + (0.5 + _HALF_LOG_TAU) * self.log_std.shape[-1]

    def kl(self, other: Gaussian) -> Tensor:
        """Return KL(self || other) [...], summed over action dimensions."""
        change = self.log_std - other.log_std
        widths = (0.5 * (2 * change).exp() - 0.5 - change).sum(-1)
        return _half_squares(self.mean, other.mean, other.log_std) + widths


class Categorical(NamedTuple):
    """A categorical distribution over n actions, given by unnormalised log-probabilities."""

    logits: Tensor  # [..., n]

    def sample(self, noise: Tensor) -> Tensor:
        """Return a sample, int64 [...], by the Gumbel-max trick.

        It takes one pass, and no check that waits for the device. noise: exponential with rate 1, of the logits' shape.
        """
        return (self.logits - noise.log()).argmax(-1)

    def mode(self) -> Tensor:
        """Return the most likely action, int64 [...]."""
        return self.logits.argmax(-1)

    def log_prob(self, action: Tensor) -> Tensor:
        """Return the log-probability [...] of actions int64 [...]."""
        chosen = self.logits.gather(-1, action.unsqueeze(-1)).squeeze(-1)
        return chosen - self.logits.logsumexp(-1)

    def entropy(self) -> Tensor:
        """Return the entropy [...]."""
        log_p = self.logits.log_softmax(-1)
        return -(log_p.exp() * log_p).sum(-1)

    def kl(self, other: Categorical) -> Tensor:
        """Return KL(self || other) [...]."""
        log_p, log_q = self.logits.log_softmax(-1), other.logits.log_softmax(-1)
        return (log_p.exp() * (log_p - log_q)).sum(-1)


ActionDistribution = Gaussian | Categorical


def _half_squares(x: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    r"""Return $\frac12 \sum_i ((x_i - \mu_i)/\sigma_i)^2$: [..., A] -> [...]."""
    return 0.5 * ((x - mean) * (-log_std).exp()).square().sum(-1)


class ActionNoise:
    """Random numbers for each row of a batch, from one generator (torch's default generator when None).

    If the rows are one process's shard of a batch, they are cut from the draw for the whole batch. Several processes
    then act exactly as a single one.
    """

    in_place = True  # not part of a CUDA graph: its numbers are drawn before the graph runs

    def __init__(self, generator: torch.Generator | None = None, shard: Shard | None = None) -> None:
        self.generator = generator
        self.shard = shard if shard is not None and shard.count < shard.whole else None
        self.draws = 0  # since `sync_draws`

    def normal(self, like: Tensor) -> Tensor:
        """Return standard normal numbers of the shape of `like` [..., A]; the leading dimensions are the rows."""
        return self._draw(torch.Tensor.normal_, like)

    def exponential(self, like: Tensor) -> Tensor:
        """Return exponential numbers of rate 1 of the shape of `like` [..., A]."""
        return self._draw(torch.Tensor.exponential_, like)

    def sync_draws(self) -> None:
        """Draw as often as the process with the most draws; episodes may end at different steps in each."""
        for _ in range(distributed.largest(self.draws) - self.draws):
            self._again()
        self.draws = 0

    def _draw(self, fill: Callable[..., Tensor], like: Tensor) -> Tensor:
        self._again = lambda: self._draw(fill, like)
        self.draws += 1
        if self.shard is None:
            return fill(like.new_empty(like.shape), generator=self.generator)  # in row order for any memory layout
        whole = like.new_empty(self.shard.whole, like.numel() // self.shard.count)
        return fill(whole, generator=self.generator)[self.shard.rows].reshape(like.shape)


class ActionSpace(ABC):
    """An action space: the outputs that a policy's network needs for it, and the actions that follow from them."""

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
