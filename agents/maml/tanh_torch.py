"""The passes of tanh_layers.py as torch operations, for every device and number type.

On CPU tasks go by in groups whose activations stay in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from metarl.agents.maml.layers import Layer, product, tanh, tanh_backward
from metarl.agents.maml.layers import run as run_layers

CACHE = 2**17  # numbers of the widest activation of a group for each core: 512 KiB

Seen = list[tuple[slice, list[Tensor]]]  # of each group of tasks, what goes into each layer


def run(x: Tensor, layers: Sequence[Layer]) -> tuple[Seen, Tensor]:
    """What goes into each layer, and outputs [M, N, P]."""
    seen: Seen = []
    out = x.new_empty(*x.shape[:2], layers[-1][1].shape[-1])
    for group in _groups(x, layers):
        *h, out[group] = run_layers(x[group], _of(layers, group), tanh)
        seen.append((group, h))
    return seen, out


def pull(seen: Seen, u: Tensor, layers: Sequence[Layer]) -> list[Tensor]:
    """J^T u: of each layer the gradient of the weight [M, I, O] and of the bias [M, O]."""
    pulled = []
    for group, h in seen:
        delta = _deltas(h, u[group], _of(layers, group))
        pulled.append([part for pair in zip(h, delta, strict=True) for part in _outer(*pair)])
    return _together(pulled)


def bend(seen: Seen, u: Tensor, layers: Sequence[Layer], along: Sequence[Layer]) -> list[Tensor]:
    """The derivative of u^T J v by u [M, N, P], then as `pull`."""
    return _together([_bent(h, u[group], _of(layers, group), _of(along, group)) for group, h in seen])


def _bent(h: list[Tensor], u: Tensor, layers: list[Layer], along: list[Layer]) -> list[Tensor]:
    delta = _deltas(h, u, layers)
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


def _deltas(h: list[Tensor], u: Tensor, layers: list[Layer]) -> list[Tensor]:
    delta = [u]
    for (weight, _), y in zip(layers[:0:-1], h[:0:-1], strict=True):
        delta.append(tanh_backward(product(delta[-1], weight.mT), y))
    return delta[::-1]


def _outer(h: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
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


def _together(groups: list[list[Tensor]]) -> list[Tensor]:
    return groups[0] if len(groups) == 1 else [torch.cat(parts) for parts in zip(*groups, strict=True)]
