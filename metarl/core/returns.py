"""Returns, advantages and masked statistics of [T, B] tensors, as pure functions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def discounted_sum(x: Tensor, factor: Tensor) -> Tensor:
    r"""$y_t = x_t + f_t\, y_{t+1}$, with $y_T = 0$.

    x, factor: [T, ...]; returns [T, ...].
    """
    y = torch.empty_like(x)
    running = torch.zeros_like(x[0])
    for t in range(len(x) - 1, -1, -1):
        running = torch.addcmul(x[t], factor[t], running)
        y[t] = running
    return y


def generalized_advantage(reward: Tensor, value: Tensor, ends: Tensor, gamma: float, gae_lambda: float) -> Tensor:
    r"""Advantages $A_t = \delta_t + \gamma\lambda c_t A_{t+1}$, $\delta_t = r_t + \gamma c_t V_{t+1} - V_t$.

    $c_t = 0$ where `ends[t]` is set, else 1: credit does not flow past an end, and the value there is 0 (Schulman et
    al. 2016, equation 16). The last row must be an end.

    reward, value: float [T, B]; ends: bool [T, B]; returns [T, B].
    """
    go_on = (~ends).to(value.dtype)
    next_value = torch.cat([value[1:], torch.zeros_like(value[:1])])
    delta = reward + gamma * go_on * next_value - value
    return discounted_sum(delta, gamma * gae_lambda * go_on)


def compact(resting: Tensor) -> Tensor:
    """Return the row order [T, B] that puts each environment's taken steps first, in time order, and its rests last."""
    return torch.argsort(resting.to(torch.uint8), dim=0, stable=True)


def take_rows(x: Tensor, order: Tensor) -> Tensor:
    """Return x [T, B, ...] with the rows of each environment in `order` [T, B]."""
    return torch.gather(x, 0, order.reshape(*order.shape, *[1] * (x.dim() - 2)).expand_as(x))


def may_hold(mask: Tensor) -> bool:
    """Return whether the mask may be set anywhere. It is read on CPU only, where that does not wait for a device."""
    return not mask.is_cpu or bool(mask.any())


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of x where mask is set; 0 where it is set nowhere."""
    return (x * mask).sum() / mask.sum().clamp(min=1)


def explained_variance(predicted: Tensor, actual: Tensor, variance: Callable[[Tensor], Tensor] = torch.var) -> float:
    """Return 1 - Var(actual - predicted) / Var(actual): 1 is perfect, 0 no better than a constant."""
    whole = variance(actual)
    return float(1 - variance(actual - predicted) / whole) if whole > 0 else 0.0
