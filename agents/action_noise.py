"""The random numbers that sample actions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from metarl.runtime import distributed
from metarl.runtime.distributed import Shard


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
