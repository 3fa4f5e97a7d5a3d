r"""Tanh layers whose first and second derivatives are written out.

The outer loop differentiates the inner gradient $J^\top u$ along a direction $v$ in the weights. With
$h_l = \tanh z_l$, $z_l = h_{l-1} W_l + b_l$, $\delta_l$ the derivative of $u^\top z_L$ by $z_l$, and $\dot x$ for the
derivative of $x$ along $v = (\dot W, \dot b)$, that is (Pearlmutter 1994)

    forwards   $\dot z_l = \dot h_{l-1} W_l + h_{l-1} \dot W_l + \dot b_l$,  $\dot h_l = (1 - h_l^2)\,\dot z_l$
    backwards  $\dot\delta_l = (1 - h_l^2)(\dot\delta_{l+1} W_{l+1}^\top + \delta_{l+1} \dot W_{l+1}^\top)
               - 2\,h_l \delta_l \dot z_l$,  $\dot\delta_L = 0$
    products   $h_{l-1}^\top \dot\delta_l + \dot h_{l-1}^\top \delta_l$ for $W_l$, the sum of $\dot\delta_l$ for $b_l$

and $\dot z_L$ for $u$. Autograd takes more passes over the activations, each through main memory. Three passes do it
here: `run` (outputs), `pull` ($J^\top u$) and `bend` (the above); in compiled loops (tanh_compiled.py, tanh_loops.c)
where they serve, as torch operations (tanh_torch.py) elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from metarl.agents.maml import tanh_compiled, tanh_torch
from metarl.agents.maml.layers import Layer, tanh
from metarl.agents.maml.layers import run as run_layers


def tanh_layers(x: Tensor, layers: Sequence[Layer]) -> Tensor:
    """Outputs [M, N, P] of constants x [M, N, I]; differentiable by the layers as often as wanted, twice fast."""
    return _Outputs.apply(x, *(part for layer in layers for part in layer))  # type: ignore[return-value]


class _Outputs(torch.autograd.Function):
    """weights -> outputs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Tensor) -> Tensor:
        layers = _layers(weights)
        ctx.passes = tanh_compiled if tanh_compiled.serve(x, layers) else tanh_torch
        ctx.save_for_backward(x, *weights)
        ctx.seen, out = ctx.passes.run(x, layers)
        return out

    @staticmethod
    def backward(ctx: Any, u: Tensor) -> Any:  # type: ignore[override]
        x, *weights = ctx.saved_tensors
        return None, *_Pulled.apply(ctx.passes, ctx.seen, x, u, *weights)


class _Pulled(torch.autograd.Function):
    """u, weights -> J^T u."""

    @staticmethod
    def forward(ctx: Any, passes: Any, seen: Any, x: Tensor, u: Tensor, *weights: Tensor) -> Any:
        ctx.save_for_backward(x, u, *weights)
        ctx.passes, ctx.seen = passes, seen
        return tuple(passes.pull(seen, u, _layers(weights)))

    @staticmethod
    def backward(ctx: Any, *v: Tensor) -> Any:  # type: ignore[override]
        x, u, *weights = ctx.saved_tensors
        if torch.is_grad_enabled():  # it will be differentiated again, as TRPO's curvature is
            return None, None, None, *_by_autograd(x, u, weights, v)
        return None, None, None, *ctx.passes.bend(ctx.seen, u, _layers(weights), _layers(v))


def _by_autograd(x: Tensor, u: Tensor, weights: Sequence[Tensor], v: Sequence[Tensor]) -> Sequence[Tensor]:
    """The same, recorded, so that it can be differentiated."""
    u, *weights = (given.view_as(given) for given in (u, *weights))  # apart: u is itself a function of the weights
    out = run_layers(x, _layers(weights), tanh)[-1]
    pulled = torch.autograd.grad(out, weights, u, create_graph=True)
    return torch.autograd.grad(pulled, [u, *weights], v, create_graph=True, materialize_grads=True)


def _layers(weights: Sequence[Tensor]) -> list[Layer]:
    return list(zip(weights[::2], weights[1::2], strict=True))
