r"""Gittins indices of a Bernoulli arm, by calibration against an arm that pays the same for sure.

An arm of a successes and b failures, under a uniform prior, pays next with p = (a + 1) / (a + b + 2). Let $W_m(a, b)$
be the most that m pulls at most can bring over a sure payment of $\lambda$ a pull, when one may stop at any time:

$$W_m = \max(0,\; p - \lambda + \gamma\,(p\, W_{m-1}(a + 1, b) + (1 - p)\, W_{m-1}(a, b + 1))), \quad W_0 = 0.$$

The index is the $\lambda$ at which going on is worth nothing: the second argument is 0. It is found for every state at
once, on a grid of $\lambda$, and interpolated (Gittins, Glazebrook and Weber 2011, section 8.4).
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

LEVELS = 101  # of the grid of lambda over [0, 1]
NEGLECTED = 1e-3  # weight of what lies beyond the look-ahead of the discounted index


@functools.cache
def finite_horizon_indices(pulls: int, levels: int = LEVELS) -> tuple[Tensor, ...]:
    """tables[m - 1] [n, n] with n = pulls - m + 1: the index of (a, b) where m of `pulls` pulls are left.

    Nothing is discounted (Niño-Mora 2011). Entries with a + b > pulls - m, which no arm can have reached, are
    meaningless.
    """
    level = torch.linspace(0.0, 1.0, levels)[:, None, None]
    worth = torch.zeros(levels, pulls + 1, pulls + 1)
    tables = []
    for n in range(pulls, 0, -1):
        a = torch.arange(n, dtype=torch.float32)
        p = (a[:, None] + 1) / (a[:, None] + a + 2)
        go_on = torch.lerp(worth[:, :n, 1 : n + 1], worth[:, 1 : n + 1, :n], p).add_(p).sub_(level)
        tables.append(_root(go_on))
        worth = go_on.clamp_(min=0.0)
    return tuple(tables)


@functools.cache
def discounted_indices(pulls: int, discount: float, levels: int = LEVELS) -> Tensor:
    """[pulls, pulls]: Gittins' own index of (a, b), a + b < pulls, of the problem without end, discount below 1.

    An arm's future beyond the look-ahead, where the discount has fallen to NEGLECTED, counts as nothing.
    """
    depth = pulls + math.ceil(math.log(NEGLECTED) / math.log(discount))
    level = torch.linspace(0.0, 1.0, levels)[:, None]
    worth = torch.zeros(levels, depth + 1)
    table = torch.zeros(pulls, pulls)
    for s in range(depth - 1, -1, -1):  # s = a + b, so the arm was pulled s times
        a = torch.arange(s + 1)
        p = (a + 1) / (s + 2)
        go_on = torch.lerp(worth[:, : s + 1], worth[:, 1 : s + 2], p).mul_(discount).add_(p).sub_(level)
        if s < pulls:
            table[a, s - a] = _root(go_on)
        worth = go_on.clamp_(min=0.0)
    return table


def _root(go_on: Tensor) -> Tensor:
    """[...]: the level in [0, 1] at which `go_on` [levels, ...], which falls along the levels, is zero."""
    last = ((go_on > 0).sum(0) - 1).clamp_(0, len(go_on) - 2)[None]
    above, below = go_on.gather(0, last)[0], go_on.gather(0, last + 1)[0]
    return (last[0] + (above / (above - below)).clamp_(0.0, 1.0)) / (len(go_on) - 1)
