"""The four passes behind tanh_layers.py: outputs, J^T u, J v, and the gradient of u^T J v.

On CPU, tasks are processed in groups whose activations fit into the processor's cache.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from metarl.agents.maml.layers import Layer, product, tanh, tanh_backward
from metarl.agents.maml.layers import forward as layers_forward

CACHE = 2**17  # numbers of the widest activation of a group for each core: 512 KiB

Activations = list[tuple[slice, list[Tensor]]]  # of each group of tasks, what goes into each layer
Tangents = list[list[Tensor]]  # of each group, z dot of the hidden layers


def forward(x: Tensor, layers: Sequence[Layer]) -> tuple[Activations, Tensor]:
    """What goes into each layer, and outputs [M, N, P]."""
    seen: Activations = []
    out = x.new_empty(*x.shape[:2], layers[-1][1].shape[-1])
    for group in _groups(x, layers):
        *h, out[group] = layers_forward(x[group], _of(layers, group), tanh)
        seen.append((group, h))
    return seen, out


def vjp(seen: Activations, u: Tensor, layers: Sequence[Layer]) -> list[Tensor]:
    """Return J^T u: the gradients of each layer's weight [M, I, O] and bias [M, O]."""
    gradients = []
    for group, h in seen:
        delta = _deltas(h, u[group], _of(layers, group))
        gradients.append([part for pair in zip(h, delta, strict=True) for part in _weight_gradients(*pair)])
    return _concatenate(gradients)


def jvp(seen: Activations, layers: Sequence[Layer], along: Sequence[Layer]) -> tuple[Tangents, Tensor]:
    """What `bend` needs of it, and J v [M, N, P]."""
    kept: Tangents = []
    outs = []
    for group, h in seen:
        *pushed, out = _tangents(h, _of(layers, group), _of(along, group))
        kept.append(pushed)
        outs.append(out)
    return kept, torch.cat(outs)


def second_backward(
    seen: Activations, kept: Tangents, u: Tensor, last: Tensor, layers: Sequence[Layer], along: Sequence[Layer]
) -> list[Tensor]:
    """The gradient of u^T J v + last^T (outputs), u and v held, as `pull` gives it."""
    return _concatenate([
        _second_backward(h, pushed, u[group], last[group], _of(layers, group), _of(along, group))
        for (group, h), pushed in zip(seen, kept, strict=True)
    ])  # fmt: skip


def _tangents(h: list[Tensor], layers: list[Layer], along: list[Layer]) -> list[Tensor]:
    """z dot of each layer."""
    pushed = [product(h[0], along[0][0], along[0][1].unsqueeze(1))]
    for y, (weight, _), (way, bias) in zip(h[1:], layers[1:], along[1:], strict=True):
        pushed.append(product(tanh_backward(pushed[-1], y), weight, product(y, way, bias.unsqueeze(1))))
    return pushed


def _second_backward(
    h: list[Tensor], pushed: list[Tensor], u: Tensor, last: Tensor, layers: list[Layer], along: list[Layer]
) -> list[Tensor]:
    delta = _deltas(h, u, layers)
    found: list[Tensor] = []  # backwards: bias, weight
    bent = last  # delta dot
    for i in range(len(layers) - 1, -1, -1):
        y = h[i]
        weight, bias = _weight_gradients(y, bent)
        if not i:
            found += [bias, weight]
            break
        found += [bias, product(tanh_backward(pushed[i - 1], y).mT, delta[i], weight)]
        back = product(delta[i], along[i][0].mT, product(bent, layers[i][0].mT))
        bent = tanh_backward(back, y).addcmul_(pushed[i - 1] * y, delta[i - 1], value=-2)
    return found[::-1]


def _deltas(h: list[Tensor], u: Tensor, layers: list[Layer]) -> list[Tensor]:
    delta = [u]
    for (weight, _), y in zip(layers[:0:-1], h[:0:-1], strict=True):
        delta.append(tanh_backward(product(delta[-1], weight.mT), y))
    return delta[::-1]


def _weight_gradients(h: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
    """A layer's gradient from what went in and the derivative by what came out."""
    return product(h.mT, delta), delta.sum(1)


def _of(layers: Sequence[Layer], group: slice) -> list[Layer]:
    return [(weight[group], bias[group]) for weight, bias in layers]


def _groups(x: Tensor, layers: Sequence[Layer]) -> list[slice]:
    """Tasks whose activations fit the caches of all cores; all of them where there is no such cache."""
    tasks, rows = x.shape[:2]
    size = tasks
    if x.device.type == "cpu":
        widest = max(bias.shape[-1] for _, bias in layers)
        size = max(1, CACHE // max(1, rows * widest)) * torch.get_num_threads()
    return [slice(i, i + size) for i in range(0, tasks, size)]


def _concatenate(groups: list[list[Tensor]]) -> list[Tensor]:
    return groups[0] if len(groups) == 1 else [torch.cat(parts) for parts in zip(*groups, strict=True)]
