"""The four passes behind tanh_layers.py: outputs, J^T u, J v, and the gradient of u^T J v by the weights.

On CPU, tasks are processed in groups whose activations fit into the processor's cache.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from metarl.agents.maml.layers import Layer, layer_inputs, product, tanh, tanh_backward

CACHE = 2**17  # numbers of the widest activation of a group for each core: 512 KiB

Activations = list[tuple[slice, list[Tensor]]]  # of each group of tasks: the input of each layer
Tangents = list[list[Tensor]]  # of each group: z dot of the hidden layers


def forward(x: Tensor, layers: Sequence[Layer]) -> tuple[Activations, Tensor]:
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
