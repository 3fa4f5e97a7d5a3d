"""The random numbers that actions are sampled with."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from metarl import parallel
from metarl.parallel import Share


class Noise:
    """Numbers for each row of a batch, from one generator (torch's own when None).

    Where the rows are one process's share of a batch, they are cut from the whole batch's draw, so that several
    processes act exactly as one would.
    """

    in_place = True  # no part of a graph: its numbers are drawn before

    def __init__(self, generator: torch.Generator | None = None, share: Share | None = None) -> None:
        self.generator = generator
        self.share = share if share is not None and share.count < share.whole else None
        self.draws = 0  # since all processes were last as far

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal numbers of the shape of `like` [..., A]; its leading dimensions are the rows, in order."""
        return self._draw(torch.Tensor.normal_, like)

    def exponential(self, like: Tensor) -> Tensor:
        """Exponential numbers of rate 1, likewise."""
        return self._draw(torch.Tensor.exponential_, like)

    def meet(self) -> None:
        """At the end of a slot, which may come sooner for the environments of one process: draw as much as others."""
        for _ in range(parallel.largest(self.draws) - self.draws):
            self._again()
        self.draws = 0

    def _draw(self, law: Callable[..., Tensor], like: Tensor) -> Tensor:
        self._again = lambda: self._draw(law, like)
        self.draws += 1
        if self.share is None:
            return law(like.new_empty(like.shape), generator=self.generator)  # in order, however `like` lies in memory
        whole = like.new_empty(self.share.whole, like.numel() // self.share.count)
        return law(whole, generator=self.generator)[self.share.rows].reshape(like.shape)
