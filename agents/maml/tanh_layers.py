r"""Tanh layers whose first and second derivatives are written out, a few tasks at a time.

The outer loop differentiates the inner gradient $J^\top u$ along a direction $v$ in the weights. With
$h_l = \tanh z_l$, $z_l = h_{l-1} W_l + b_l$, $\delta_l$ the derivative of $u^\top z_L$ by $z_l$, and $\dot x$ for the
derivative of $x$ along $v = (\dot W, \dot b)$, that is (Pearlmutter 1994)

    forwards   $\dot z_l = \dot h_{l-1} W_l + h_{l-1} \dot W_l + \dot b_l$,  $\dot h_l = (1 - h_l^2)\,\dot z_l$
    backwards  $\dot\delta_l = (1 - h_l^2)(\dot\delta_{l+1} W_{l+1}^\top + \delta_{l+1} \dot W_{l+1}^\top)
               - 2\,h_l \delta_l \dot z_l$,  $\dot\delta_L = 0$
    products   $h_{l-1}^\top \dot\delta_l + \dot h_{l-1}^\top \delta_l$ for $W_l$, the sum of $\dot\delta_l$ for $b_l$

and $\dot z_L$ for $u$. Autograd takes more passes over the activations, each through main memory; here the tasks go by
in groups whose activations stay in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from metarl.agents.maml.layers import Layer, product, run, tanh, tanh_backward

CACHE = 2**17  # numbers of the widest activation of a group for each core: 512 KiB


def tanh_layers(x: Tensor, layers: Sequence[Layer]) -> Tensor:
    """Outputs [M, N, P] of constants x [M, N, I]; differentiable by the layers as often as wanted, twice fast."""
    return _Outputs.apply(x, *(part for layer in layers for part in layer))  # type: ignore[return-value]


class _Outputs(torch.autograd.Function):
    """weights -> outputs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Tensor) -> Tensor:
        ctx.save_for_backward(x, *weights)
        ctx.seen = []
        out = x.new_empty(*x.shape[:2], weights[-1].shape[-1])
        for group in _groups(x, weights):
            *seen, out[group] = run(x[group], _layers(weights, group), tanh)
            ctx.seen.append((group, seen))
        return out

    @staticmethod
    def backward(ctx: Any, u: Tensor) -> Any:  # type: ignore[override]
        x, *weights = ctx.saved_tensors
        return None, *_Pulled.apply(ctx.seen, x, u, *weights)


class _Pulled(torch.autograd.Function):
    """u, weights -> J^T u."""

    @staticmethod
    def forward(ctx: Any, seen: list[tuple[slice, list[Tensor]]], x: Tensor, u: Tensor, *weights: Tensor) -> Any:
        ctx.save_for_backward(x, u, *weights)
        ctx.seen, ctx.deltas, pulled = seen, [], []
        for group, h in seen:
            delta = _deltas(h, u[group], _layers(weights, group))
            ctx.deltas.append(delta)
            pulled.append([part for pair in zip(h, delta, strict=True) for part in _outer(*pair)])
        return _together(pulled)

    @staticmethod
    def backward(ctx: Any, *v: Tensor) -> Any:  # type: ignore[override]
        x, u, *weights = ctx.saved_tensors
        if torch.is_grad_enabled():  # it will be differentiated again, as TRPO's curvature is
            return None, None, *_by_autograd(x, u, weights, v)
        bent = [
            _bent(h, delta, _layers(weights, group), _layers(v, group))
            for (group, h), delta in zip(ctx.seen, ctx.deltas, strict=True)
        ]
        return None, None, *_together(bent)


def _deltas(h: list[Tensor], u: Tensor, layers: list[Layer]) -> list[Tensor]:
    delta = [u]
    for (weight, _), y in zip(layers[:0:-1], h[:0:-1], strict=True):
        delta.append(tanh_backward(product(delta[-1], weight.mT), y))
    return delta[::-1]


def _outer(h: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
    """A layer's gradient from what went in and the derivative by what came out."""
    return product(h.mT, delta), delta.sum(1)


def _bent(h: list[Tensor], delta: list[Tensor], layers: list[Layer], along: list[Layer]) -> list[Tensor]:
    """The derivative of u^T J v by u, then by each weight and bias."""
    pushed = [product(h[0], along[0][0], along[0][1].unsqueeze(1))]  # z dot
    hidden = []  # h dot, from h_1 on
    for y, (weight, _), (way, bias) in zip(h[1:], layers[1:], along[1:], strict=True):
        hidden.append(tanh_backward(pushed[-1], y))
        pushed.append(product(hidden[-1], weight, product(y, way, bias.unsqueeze(1))))
    *pushed, out = pushed
    last, late = product(hidden[-1].mT, delta[-1]), torch.zeros_like(along[-1][1])
    found = [late, last]  # backwards: bias, weight
    back = product(delta[-1], along[-1][0].mT)
    for i in range(len(pushed) - 1, -1, -1):
        y = h[i + 1]
        turned = tanh_backward(back, y).addcmul_(pushed[i].mul_(y), delta[i], value=-2)  # delta dot
        weight, bias = _outer(h[i], turned)
        found += [bias, product(hidden[i - 1].mT, delta[i], weight) if i else weight]
        if i:
            back = product(delta[i], along[i][0].mT, product(turned, layers[i][0].mT))
    return [out, *found[::-1]]


def _by_autograd(x: Tensor, u: Tensor, weights: Sequence[Tensor], v: Sequence[Tensor]) -> Sequence[Tensor]:
    """The same, recorded, so that it can be differentiated."""
    u, *weights = (given.view_as(given) for given in (u, *weights))  # apart: u is itself a function of the weights
    out = run(x, _layers(weights, slice(None)), tanh)[-1]
    pulled = torch.autograd.grad(out, weights, u, create_graph=True)
    return torch.autograd.grad(pulled, [u, *weights], v, create_graph=True, materialize_grads=True)


def _layers(weights: Sequence[Tensor], group: slice) -> list[Layer]:
    return [(weight[group], bias[group]) for weight, bias in zip(weights[::2], weights[1::2], strict=True)]


def _groups(x: Tensor, weights: Sequence[Tensor]) -> list[slice]:
    """Tasks whose activations fit the caches of all cores; all of them where there is no such cache."""
    tasks, rows = x.shape[:2]
    size = tasks
    if x.device.type == "cpu":
        widest = max(bias.shape[-1] for bias in weights[1::2])
        size = max(1, CACHE // (rows * widest)) * torch.get_num_threads()
    return [slice(i, i + size) for i in range(0, tasks, size)]


def _together(groups: list[list[Tensor]]) -> tuple[Tensor, ...]:
    return tuple(groups[0] if len(groups) == 1 else (torch.cat(parts) for parts in zip(*groups, strict=True)))
