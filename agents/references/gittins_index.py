r"""Gittins indices of a Bernoulli arm, by calibration against an arm with a constant reward.

Under a uniform prior, the next pull of an arm with a successes and b failures succeeds with probability
p = (a + 1) / (a + b + 2). Let $W_m(a, b)$ be the highest expected gain of up to m pulls over a constant reward of
$\lambda$ a pull, with the option to stop at any time:

$$W_m = \max(0,\; p - \lambda + \gamma\,(p\, W_{m-1}(a + 1, b) + (1 - p)\, W_{m-1}(a, b + 1))), \quad W_0 = 0.$$

The index is the $\lambda$ at which the second argument, the gain of another pull, is 0. It is computed for all states
at once on a grid of $\lambda$, and interpolated (Gittins, Glazebrook and Weber 2011, section 8.4).
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

LEVELS = 101  # points of the grid of lambda over [0, 1]
NEGLECTED = 1e-3  # discount at the end of the look-ahead of the discounted index


@functools.cache
def finite_horizon_indices(pulls: int, levels: int = LEVELS) -> tuple[Tensor, ...]:
    """Return tables: tables[m - 1] [n, n], n = pulls - m + 1, holds the index of (a, b) with m of `pulls` pulls left.

    Rewards are not discounted (Niño-Mora 2011). Entries with a + b > pulls - m are meaningless: no arm reaches them.
    """
    level = torch.linspace(0.0, 1.0, levels)[:, None, None]
    value = torch.zeros(levels, pulls + 1, pulls + 1)
    tables = []
    for n in range(pulls, 0, -1):
        a = torch.arange(n, dtype=torch.float32)
        p = (a[:, None] + 1) / (a[:, None] + a + 2)
        gain = torch.lerp(value[:, :n, 1 : n + 1], value[:, 1 : n + 1, :n], p).add_(p).sub_(level)
        tables.append(_root(gain))
        value = gain.clamp_(min=0.0)
    return tuple(tables)


@functools.cache
def discounted_indices(pulls: int, discount: float, levels: int = LEVELS) -> Tensor:
    """Return Gittins' index of (a, b), a + b < pulls, for infinitely many pulls and a discount below 1, [pulls, pulls].

    Rewards beyond the look-ahead, at whose end the discount is NEGLECTED, are left out.
    """
    depth = pulls + math.ceil(math.log(NEGLECTED) / math.log(discount))
    level = torch.linspace(0.0, 1.0, levels)[:, None]
    value = torch.zeros(levels, depth + 1)
    table = torch.zeros(pulls, pulls)
    for s in range(depth - 1, -1, -1):  # s = a + b, so the arm was pulled s times
        a = torch.arange(s + 1)
        p = (a + 1) / (s + 2)
        gain = torch.lerp(value[:, : s + 1], value[:, 1 : s + 2], p).mul_(discount).add_(p).sub_(level)
        if s < pulls:
            table[a, s - a] = _root(gain)
        value = gain.clamp_(min=0.0)
    return table


def _root(gain: Tensor) -> Tensor:
    """Return the level in [0, 1] at which `gain` [levels, ...], which decreases with the level, is zero; [...]."""
    last = ((gain > 0).sum(0) - 1).clamp_(0, len(gain) - 2)[None]
    above, below = gain.gather(0, last)[0], gain.gather(0, last + 1)[0]
    return (last[0] + (above / (above - below)).clamp_(0.0, 1.0)) / (len(gain) - 1)
