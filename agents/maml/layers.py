r"""Fully connected layers of M tasks at once, each task with weights of its own.

The derivatives of tanh layers are written out to the second order, for an outer loop through an inner gradient.

The outer loop differentiates the inner gradient $J^\top u$ along a direction $v$ in the weights. With
$h_l = \tanh z_l$, $z_l = h_{l-1} W_l + b_l$, $\delta_l$ the derivative of $u^\top z_L$ by $z_l$, and $\dot x$ for the
derivative of $x$ along $v = (\dot W, \dot b)$, that is (Pearlmutter 1994)

    forwards   $\dot z_l = \dot h_{l-1} W_l + h_{l-1} \dot W_l + \dot b_l$,  $\dot h_l = (1 - h_l^2)\,\dot z_l$
    backwards  $\dot\delta_l = (1 - h_l^2)(\dot\delta_{l+1} W_{l+1}^\top + \delta_{l+1} \dot W_{l+1}^\top)
               - 2\,h_l \delta_l \dot z_l$,  $\dot\delta_L = 0$
    products   $h_{l-1}^\top \dot\delta_l + \dot h_{l-1}^\top \delta_l$ for $W_l$, the sum of $\dot\delta_l$ for $b_l$

and $\dot z_L$ for $u$. Autograd takes more passes over the activations, each through main memory.

On CPU, tasks are processed in groups whose activations fit into the processor's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Layer = tuple[Tensor, Tensor]  # weight [M, I, O], bias [M, O]
Activations = list[tuple[slice, list[Tensor]]]  # of each group of tasks: the input of each layer
Tangents = list[list[Tensor]]  # of each group: z dot of the hidden layers

NARROW = 16  # columns: a product with fewer columns is several times slower on CPU than its transpose
CACHE = 2**17  # numbers of the widest activation of a group for each core: 512 KiB


def tanh_layers(x: Tensor, layers: Sequence[Layer]) -> Tensor:
    """Return outputs [M, N, P] for constants x [M, N, I]; differentiable by the layers, fast to the second order."""
    return _Outputs.apply(x, *(part for layer in layers for part in layer))  # type: ignore[return-value]


class _Outputs(torch.autograd.Function):
    """weights -> outputs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Tensor) -> Tensor:
        ctx.activations, out = outputs(x, _layers(weights))
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
        return tuple(vjp(activations, u, _layers(weights)))

    @staticmethod
    def backward(ctx: Any, *v: Tensor) -> Any:  # type: ignore[override]
        x, u, *weights = ctx.saved_tensors
        if torch.is_grad_enabled():  # the result will be differentiated again, as for TRPO's curvature
            return None, None, *_second_backward_by_autograd(x, u, weights, v)
        layers, along = _layers(weights), _layers(v)
        tangents, jv = jvp(ctx.activations, layers, along)
        return None, None, jv, *second_backward(ctx.activations, tangents, u, layers, along)


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


# The four passes ------------------------------------------------------------------------------------------------------


def outputs(x: Tensor, layers: Sequence[Layer]) -> tuple[Activations, Tensor]:
    """Return the inputs of each layer, and outputs [M, N, P]."""
    activations: Activations = []
    out = x.new_empty(*x.shape[:2], layers[-1][1].shape[-1])
    for group in _groups(x, layers):
        *h, out[group] = layer_inputs(x[group], _of(layers, group), tanh)
        activations.append((group, h))
    return activations, out


def vjp(activations: Activations, u: Tensor, layers: Sequence[Layer]) -> list[Tensor]:
    """Return J^T u: the gradients of each layer's weight [M, I, O] and bias [M, O]."""
    gradients = []
    for group, h in activations:
        deltas = _deltas(h, u[group], _of(layers, group))
        gradients.append([part for pair in zip(h, deltas, strict=True) for part in _weight_gradients(*pair)])
    return _concatenate(gradients)


def jvp(activations: Activations, layers: Sequence[Layer], along: Sequence[Layer]) -> tuple[Tangents, Tensor]:
    """Return the tangents of the hidden layers, and J v [M, N, P]."""
    tangents: Tangents = []
    outs = []
    for group, h in activations:
        *hidden, out = _tangents(h, _of(layers, group), _of(along, group))
        tangents.append(hidden)
        outs.append(out)
    return tangents, torch.cat(outs)


def second_backward(
    activations: Activations, tangents: Tangents, u: Tensor, layers: Sequence[Layer], along: Sequence[Layer]
) -> list[Tensor]:
    """Return the gradient of u^T J v by the weights, u and v held constant, in the order of `vjp`."""
    return _concatenate([
        _second_backward(h, tangent, u[group], _of(layers, group), _of(along, group))
        for (group, h), tangent in zip(activations, tangents, strict=True)
    ])  # fmt: skip


def _tangents(h: list[Tensor], layers: list[Layer], along: list[Layer]) -> list[Tensor]:
    """z dot of each layer."""
    tangents = [product(h[0], along[0][0], along[0][1].unsqueeze(1))]
    for y, (weight, _), (weight_dot, bias_dot) in zip(h[1:], layers[1:], along[1:], strict=True):
        h_dot = tanh_backward(tangents[-1], y)
        tangents.append(product(h_dot, weight, product(y, weight_dot, bias_dot.unsqueeze(1))))
    return tangents


def _second_backward(
    h: list[Tensor], tangents: list[Tensor], u: Tensor, layers: list[Layer], along: list[Layer]
) -> list[Tensor]:
    deltas = _deltas(h, u, layers)
    gradients: list[Tensor] = []  # from the last layer to the first: bias, weight
    delta_dot = torch.zeros_like(u)
    for i in range(len(layers) - 1, -1, -1):
        y = h[i]
        weight, bias = _weight_gradients(y, delta_dot)
        if i == 0:
            gradients += [bias, weight]
            break
        h_dot = tanh_backward(tangents[i - 1], y)
        gradients += [bias, product(h_dot.mT, deltas[i], weight)]
        back = product(deltas[i], along[i][0].mT, product(delta_dot, layers[i][0].mT))
        delta_dot = tanh_backward(back, y).addcmul_(tangents[i - 1] * y, deltas[i - 1], value=-2)
    return gradients[::-1]


def _deltas(h: list[Tensor], u: Tensor, layers: list[Layer]) -> list[Tensor]:
    """delta of each layer."""
    deltas = [u]
    for (weight, _), y in zip(layers[:0:-1], h[:0:-1], strict=True):
        deltas.append(tanh_backward(product(deltas[-1], weight.mT), y))
    return deltas[::-1]


def _weight_gradients(h: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
    """A layer's gradients, from its input and the derivative by its output."""
    return product(h.mT, delta), delta.sum(1)


def _of(layers: Sequence[Layer], group: slice) -> list[Layer]:
    return [(weight[group], bias[group]) for weight, bias in layers]


def _groups(x: Tensor, layers: Sequence[Layer]) -> list[slice]:
    """Tasks whose activations fit into the caches of all cores; all tasks on a GPU."""
    tasks, rows = x.shape[:2]
    size = tasks
    if x.device.type == "cpu":
        widest = max(bias.shape[-1] for _, bias in layers)
        size = max(1, CACHE // max(1, rows * widest)) * torch.get_num_threads()
    return [slice(i, i + size) for i in range(0, tasks, size)]


def _concatenate(groups: list[list[Tensor]]) -> list[Tensor]:
    return groups[0] if len(groups) == 1 else [torch.cat(parts) for parts in zip(*groups, strict=True)]


# Layers ---------------------------------------------------------------------------------------------------------------


def layer_inputs(x: Tensor, layers: Sequence[Layer], activation: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """Return the input of each layer [M, N, I], and the output of the last one, which is linear."""
    inputs = [x]
    for weight, bias in layers[:-1]:
        inputs.append(activation(affine(inputs[-1], weight, bias)))
    return [*inputs, affine(inputs[-1], *layers[-1])]


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return x W + b: [M, N, I] -> [M, N, O]."""
    return product(x, weight, bias.unsqueeze(1))


def product(a: Tensor, b: Tensor, plus: Tensor | None = None) -> Tensor:
    """Return a b + plus for matrices [M, ., .]."""
    if b.shape[-1] < NARROW:
        return _product(b.mT, a.mT, None if plus is None else plus.mT).mT
    return _product(a, b, plus)


def _product(a: Tensor, b: Tensor, plus: Tensor | None) -> Tensor:
    return torch.bmm(a, b) if plus is None else torch.baddbmm(plus, a, b)


class _Tanh(torch.autograd.Function):
    """tanh as 2 sigmoid(2x) - 1, in a third of torch.tanh's time on CPU; differentiable to any order."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = (2 * x).sigmoid_().mul_(2).sub_(1)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        return tanh_backward(grad, ctx.saved_tensors[0])


tanh: Callable[[Tensor], Tensor] = _Tanh.apply  # type: ignore[assignment]
tanh_backward = torch.ops.aten.tanh_backward  # (grad, y) -> grad (1 - y^2), in one pass


def _layers(weights: Sequence[Tensor]) -> list[Layer]:
    return list(zip(weights[::2], weights[1::2], strict=True))
