"""Several processes that train as one: ranks, shards, and sums and means over all processes.

Each process rolls out its shard of a meta-batch, and gradients and statistics are averaged over all processes, so that
W processes compute what one would. Every function must be called by all processes, in the same order. In a single
process, and outside of `process_group`, each function is the identity.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from metarl.errors import MetarlError

_rank, _size = 0, 1


class PeerLost(MetarlError):
    """Raised where another process has ended, so that this one must end, too."""


def rank_and_size() -> tuple[int, int]:
    """Return (rank, number of processes) from torchrun's environment variables; (0, 1) without them."""
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def rank() -> int:
    """Return the rank of this process; rank 0 writes the run's files."""
    return _rank


def size() -> int:
    """Return W, the number of processes that train together."""
    return _size


@contextmanager
def process_group(device: str) -> Iterator[None]:
    """Within, all processes that torchrun started train as one: by gloo on CPU, by NCCL with a GPU each."""
    global _rank, _size
    rank, size = rank_and_size()
    if size > 1:
        _start(device)
        _rank, _size = rank, size
    try:
        yield
    finally:
        _rank, _size = 0, 1


def _start(device: str) -> None:
    """Connect to the other processes, once; the connection lasts as long as this process."""
    if device == "cuda":
        local, gpus = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
        if local >= gpus:
            raise MetarlError(f"process {local} has no GPU of its own, there are {gpus}: --nproc-per-node {gpus}")
        torch.cuda.set_device(local)
    if dist.is_initialized():
        return
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if device == "cuda" else "gloo")
    except (RuntimeError, ValueError) as error:
        raise MetarlError(f"the processes did not find each other ({error}): start them with torchrun") from error
    atexit.register(shut_down)


def shut_down() -> None:
    """Disconnect from the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()


@dataclass(frozen=True)
class Shard:
    """The rows of a whole that belong to this process."""

    start: int
    stop: int
    whole: int

    @property
    def count(self) -> int:
        return self.stop - self.start

    @property
    def rows(self) -> slice:
        return slice(self.start, self.stop)

    def each(self, n: int) -> Shard:
        """Return the shard where every row stands for n rows."""
        return Shard(self.start * n, self.stop * n, self.whole * n)

    def local(self, index: Tensor) -> tuple[Tensor, int]:
        """Return the rows of `index`, int64 [N], that are in this shard, counted from its start; and their weight.

        A shard that has none of them returns its first row, with weight 0.
        """
        rows = index[(index >= self.start) & (index < self.stop)] - self.start
        return (rows, 1) if len(rows) else (rows.new_zeros(1), 0)

    def keys(self, device: torch.device | str) -> Tensor:
        """Return int64 [count]: the rows' numbers in the whole."""
        return torch.arange(self.start, self.stop, device=device)


def shard(name: str, whole: int) -> Shard:
    """Return this process's equal part of `whole`; MetarlError, with the setting's name, where it does not divide."""
    if whole % _size:
        raise MetarlError(f"{name} {whole} must be a multiple of the number of processes, {_size}: each takes its part")
    count = whole // _size
    return Shard(_rank * count, (_rank + 1) * count, whole)


def span(count: int) -> Shard:
    """Return the position of this process's `count` rows among the rows of all processes, in order of rank."""
    counts = torch.zeros(_size, dtype=torch.int64)
    counts[_rank] = count
    ends = _reduced(counts).cumsum(0)
    stop = int(ends[_rank])
    return Shard(stop - count, stop, int(ends[-1]))


def total(count: int) -> int:
    """Return the sum over all processes."""
    return int(_reduced(torch.tensor(int(count))))


def largest(count: int) -> int:
    """Return the maximum over all processes."""
    return int(_reduced(torch.tensor(count), dist.ReduceOp.MAX)) if _size > 1 else count


def average_(tensors: Sequence[Tensor], weight: Tensor | float = 1.0) -> None:
    """Replace each tensor by its mean over all processes, weighted by `weight` []; one exchange for all tensors."""
    if _size == 1:
        return
    flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
    by = torch.as_tensor(weight, dtype=flat.dtype, device=flat.device)
    flat = _reduced(torch.cat([flat * by, by.reshape(1)]))
    parts = (flat[:-1] / flat[-1]).split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.detach().copy_(part.view_as(tensor))


def average_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return each metric's mean over all processes."""
    values = torch.tensor(list(metrics.values()), dtype=torch.float64)
    average_([values])
    return dict(zip(metrics, values.tolist(), strict=True))


def moments(x: Tensor) -> tuple[int, Tensor, Tensor]:
    """Return count, mean and variance (divided by N) of all processes' samples x [N, *shape]."""
    mean = x.mean(0)
    if _size == 1:
        return len(x), mean, x.var(0, unbiased=False)
    average_([mean], len(x))
    var = (x - mean).square().mean(0)
    average_([var], len(x))
    return total(len(x)), mean, var


def variance(x: Tensor) -> Tensor:
    """Return []: the unbiased variance of all processes' samples x [N]."""
    if _size == 1:
        return x.var()
    count, _, var = moments(x)
    return var * count / (count - 1)


def mean_and_std(x: Tensor, correction: int) -> tuple[Tensor, Tensor]:
    """Return [], []: mean and standard deviation (divided by N - correction) of all processes' samples x [N]."""
    if _size == 1:
        return x.mean(), x.std(correction=correction)
    count, mean, var = moments(x)
    return mean, (var * count / (count - correction)).sqrt()


def _reduced(x: Tensor, operation: Any = dist.ReduceOp.SUM) -> Tensor:
    """Reduce x in place over all processes; returns it."""
    if _size > 1:
        try:
            dist.all_reduce(x, operation)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0].split("] ", 1)[-1]  # without the line of source
            raise PeerLost(
                "another process of this training has ended or does not answer, so that this one ends too "
                f"({reason}). What the run last saved is intact: the same command with --resume continues it"
            ) from error
    return x
