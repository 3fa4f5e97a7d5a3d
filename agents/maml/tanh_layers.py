r"""Tanh layers whose first and second derivatives are written out, for an outer loop through an inner gradient.

The outer loop differentiates the inner gradient $J^\top u$ along a direction $v$ in the weights. With
$h_l = \tanh z_l$, $z_l = h_{l-1} W_l + b_l$, $\delta_l$ the derivative of $u^\top z_L$ by $z_l$, and $\dot x$ for the
derivative of $x$ along $v = (\dot W, \dot b)$, that is (Pearlmutter 1994)

    forwards   $\dot z_l = \dot h_{l-1} W_l + h_{l-1} \dot W_l + \dot b_l$,  $\dot h_l = (1 - h_l^2)\,\dot z_l$
    backwards  $\dot\delta_l = (1 - h_l^2)(\dot\delta_{l+1} W_{l+1}^\top + \delta_{l+1} \dot W_{l+1}^\top)
               - 2\,h_l \delta_l \dot z_l$,  $\dot\delta_L = 0$
    products   $h_{l-1}^\top \dot\delta_l + \dot h_{l-1}^\top \delta_l$ for $W_l$, the sum of $\dot\delta_l$ for $b_l$

and $\dot z_L$ for $u$. Autograd takes more passes over the activations, each through main memory. The passes are in
tanh_passes.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from metarl.agents.maml import tanh_passes
from metarl.agents.maml.layers import Layer, layer_inputs, tanh
from metarl.agents.maml.tanh_passes import Activations


def tanh_layers(x: Tensor, layers: Sequence[Layer]) -> Tensor:
    """Return outputs [M, N, P] for constants x [M, N, I]; differentiable by the layers to any order, fast to the second."""
    return _Outputs.apply(x, *(part for layer in layers for part in layer))  # type: ignore[return-value]


class _Outputs(torch.autograd.Function):
    """weights -> outputs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Tensor) -> Tensor:
        ctx.activations, out = tanh_passes.forward(x, _layers(weights))
        ctx.save_for_backward(x, *weights)
        return out

    @staticmethod
    def backward(ctx: Any, u: Tensor) -> Any:  # type: ignore[override]
        x, *weights = ctx.saved_tensors
        return None, *_VJP.apply(ctx.activations, x, u, *weights)


class _VJP(torch.autograd.Function):
    """u, weights -> J^T u."""

    @staticmethod
    def forward(ctx: Any, activations: Activations, x: Tensor, u: Tensor, *weights: Tensor) -> Any:
        ctx.activations = activations
        ctx.save_for_backward(x, u, *weights)
        return tuple(tanh_passes.vjp(activations, u, _layers(weights)))

    @staticmethod
    def backward(ctx: Any, *v: Tensor) -> Any:  # type: ignore[override]
        x, u, *weights = ctx.saved_tensors
        if torch.is_grad_enabled():  # the result will be differentiated again, as for TRPO's curvature
            return None, None, *_second_backward_by_autograd(x, u, weights, v)
        layers, along = _layers(weights), _layers(v)
        tangents, jv = tanh_passes.jvp(ctx.activations, layers, along)
        return None, None, jv, *tanh_passes.second_backward(ctx.activations, tangents, u, layers, along)


def _second_backward_by_autograd(
    x: Tensor, u: Tensor, weights: Sequence[Tensor], v: Sequence[Tensor]
) -> Sequence[Tensor]:
    """Return the gradients of v^T J^T u by u and the weights, recorded, so that they can be differentiated."""
    u, *weights = (  # separate leaves, because u is itself a function of the weights
        given.view_as(given) if given.requires_grad else given.detach().requires_grad_() for given in (u, *weights)
    )
    out = layer_inputs(x, _layers(weights), tanh)[-1]
    pulled = torch.autograd.grad(out, weights, u, create_graph=True)
    return torch.autograd.grad(pulled, [u, *weights], v, create_graph=True, materialize_grads=True)


def _layers(weights: Sequence[Tensor]) -> list[Layer]:
    return list(zip(weights[::2], weights[1::2], strict=True))
