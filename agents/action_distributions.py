"""Action distributions over the outputs of a network: a diagonal Gaussian and a categorical distribution."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

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
