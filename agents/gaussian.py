r"""How far actions lie from the mean of a diagonal Gaussian, which its log-probability and its divergences are made of.

With $z_i = (x_i - \mu_i) / \sigma_i$ it is $q = \frac12 \sum_i z_i^2$. Of a few numbers a row, autograd's operations
cost more than the arithmetic, and MAML differentiates twice: on CPU, $q$, its derivative and the derivative of that
along a direction are three compiled passes (gaussian_loops.c); elsewhere they are torch operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from metarl import compiled

try:
    from metarl.agents import gaussian_loops
except ImportError:  # installed where there was no C compiler that knows OpenMP
    gaussian_loops = None

COMPILED = gaussian_loops is not None
WORTH_THREADS = 50_000  # numbers: below, sharing them out takes longer than it saves


def half_squares(x: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """q [...] of x and mean [..., A] and whatever broadcasts to them, as log_std [A] or [M, 1, 1, A] does."""
    if not _serve(x, mean, log_std):
        return _by_torch(x, mean, log_std)
    return _HalfSquares.apply(x, mean, log_std)  # type: ignore[return-value]


def _by_torch(x: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    return 0.5 * ((x - mean) * (-log_std).exp()).square().sum(-1)


def _serve(x: Tensor, mean: Tensor, log_std: Tensor) -> bool:
    """Whether the compiled loops serve: one log_std for all rows, or one for each of the first axis."""
    if gaussian_loops is None or x.requires_grad or x.shape != mean.shape or not x.numel():
        return False
    if not 1 <= log_std.dim() <= x.dim() or log_std.shape[-1] != x.shape[-1] or x.shape[-1] > gaussian_loops.MOST:
        return False
    for_all = log_std.numel() == x.shape[-1]
    return (for_all or log_std.shape == (x.shape[0], *[1] * (x.dim() - 2), x.shape[-1])) and (
        all(given.dtype == torch.float32 for given in (x, mean, log_std)) and compiled.may_read(x, mean, log_std)
    )


class _HalfSquares(torch.autograd.Function):
    """mean, log_std -> q."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
        ctx.save_for_backward(x, mean, log_std)
        out = x.new_empty(x.shape[:-1])
        _call("squares", x, mean, log_std, (), (out,))
        return out

    @staticmethod
    def backward(ctx: Any, u: Tensor) -> Any:  # type: ignore[override]
        return None, *_Pulled.apply(u, *ctx.saved_tensors)


class _Pulled(torch.autograd.Function):
    """u, mean, log_std -> the derivative of u^T q by mean and log_std."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, x: Tensor, mean: Tensor, log_std: Tensor) -> Any:
        ctx.save_for_backward(u, x, mean, log_std)
        found = _like(mean), _like(log_std)
        _call("pull", x, mean, log_std, (u,), found)
        return found

    @staticmethod
    def backward(ctx: Any, *v: Tensor) -> Any:  # type: ignore[override]
        u, x, mean, log_std = ctx.saved_tensors
        if torch.is_grad_enabled():  # it will be differentiated again
            return _by_autograd(u, x, mean, log_std, v)
        found = _like(u), _like(mean), _like(log_std)
        _call("bend", x, mean, log_std, (u, *v), found)
        to_u, to_mean, to_std = found
        return to_u, None, to_mean, to_std


def _by_autograd(u: Tensor, x: Tensor, mean: Tensor, log_std: Tensor, v: Sequence[Tensor]) -> Any:
    """The same, recorded, so that it can be differentiated."""
    u, mean, log_std = (  # apart: u may depend on the others
        given.view_as(given) if given.requires_grad else given.detach().requires_grad_() for given in (u, mean, log_std)
    )
    pulled = torch.autograd.grad(_by_torch(x, mean, log_std), (mean, log_std), u, create_graph=True)
    by = torch.autograd.grad(pulled, (u, mean, log_std), v, create_graph=True, materialize_grads=True)
    return by[0], None, *by[1:]


def _call(name: str, x: Tensor, mean: Tensor, log_std: Tensor, read: Sequence[Tensor], to: Sequence[Tensor]) -> None:
    assert gaussian_loops is not None  # they were asked whether they serve
    given, read = [t.contiguous() for t in (x, mean, log_std)], [t.contiguous() for t in read]
    sizes = x.shape[:-1].numel(), x.shape[-1], log_std.numel() // x.shape[-1]
    threads = torch.get_num_threads() if x.numel() >= WORTH_THREADS else 1
    addresses = (t.data_ptr() for t in (*read, *to))
    getattr(gaussian_loops, name)(sizes, tuple(t.data_ptr() for t in given), threads, *addresses)


def _like(given: Tensor) -> Tensor:
    return torch.empty_like(given, memory_format=torch.contiguous_format)
