"""A diagonal Gaussian over continuous actions, as pure functions; log-probabilities sum over action dimensions."""

from __future__ import annotations

import math

from torch import Tensor

_HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


def log_prob(action: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    r"""$\sum_i -\frac{1}{2} ((a_i - \mu_i)/\sigma_i)^2 - \log\sigma_i - \frac{1}{2}\log 2\pi$; [..., A] -> [...]."""
    z = (action - mean) * (-log_std).exp()
    return -(0.5 * z.square() + log_std).sum(-1) - _HALF_LOG_TAU * action.shape[-1]


def entropy(log_std: Tensor) -> Tensor:
    r"""$\sum_i \log\sigma_i + \frac{1}{2}\log 2\pi e$; [A] -> []."""
    return log_std.sum() + (0.5 + _HALF_LOG_TAU) * log_std.shape[-1]


def kl(mean: Tensor, log_std: Tensor, other_mean: Tensor, other_log_std: Tensor) -> Tensor:
    r"""KL(first || second), summed over action dimensions; [..., A] -> [...]."""
    ratio = (2 * (log_std - other_log_std)).exp()
    shift = (mean - other_mean).square() * (-2 * other_log_std).exp()
    return 0.5 * (ratio + shift - 1 - 2 * (log_std - other_log_std)).sum(-1)
