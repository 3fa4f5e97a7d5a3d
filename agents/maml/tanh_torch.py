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
Kept = list[list[Tensor]]  # of each group, z dot of the hidden layers


def run(x: Tensor, layers: Sequence[Layer]) -> tuple[Seen, Tensor]:
    """What goes into each layer, and outputs [M, N, P]."""
    seen: Seen = []
    out = x.new_empty(*x.shape[:2], layers[-1][1].shape[-1])
    for group in _groups(x, layers):
        *h, out[group] = run_layers(x[group], _of(layers, group), tanh)
        seen.append((group, h))
    return seen, out


def pull(seen: Seen, u: Tensor, layers: Sequence[Layer], again: bool) -> tuple[list[Tensor], None]:
    """J^T u: of each layer the gradient of the weight [M, I, O] and of the bias [M, O].

    Nothing is kept of it, `again` or not.
    """
    pulled = []
    for group, h in seen:
        delta = _deltas(h, u[group], _of(layers, group))
        pulled.append([part for pair in zip(h, delta, strict=True) for part in _outer(*pair)])
    return _together(pulled), None


def push(seen: Seen, layers: Sequence[Layer], along: Sequence[Layer]) -> tuple[Kept, Tensor]:
    """What `bend` needs of it, and J v [M, N, P]."""
    kept: Kept = []
    outs = []
    for group, h in seen:
        *pushed, out = _pushed(h, _of(layers, group), _of(along, group))
        kept.append(pushed)
        outs.append(out)
    return kept, torch.cat(outs)


def bend(
    seen: Seen, delta: None, kept: Kept, u: Tensor, last: Tensor, layers: Sequence[Layer], along: Sequence[Layer]
) -> list[Tensor]:
    """The gradient of u^T J v + last^T (outputs), u and v held, as `pull` gives it."""
    return _together([
        _bent(h, pushed, u[group], last[group], _of(layers, group), _of(along, group))
        for (group, h), pushed in zip(seen, kept, strict=True)
    ])  # fmt: skip


def _pushed(h: list[Tensor], layers: list[Layer], along: list[Layer]) -> list[Tensor]:
    """z dot of each layer."""
    pushed = [product(h[0], along[0][0], along[0][1].unsqueeze(1))]
    for y, (weight, _), (way, bias) in zip(h[1:], layers[1:], along[1:], strict=True):
        pushed.append(product(tanh_backward(pushed[-1], y), weight, product(y, way, bias.unsqueeze(1))))
    return pushed


def _bent(
    h: list[Tensor], pushed: list[Tensor], u: Tensor, last: Tensor, layers: list[Layer], along: list[Layer]
) -> list[Tensor]:
    delta = _deltas(h, u, layers)
    found: list[Tensor] = []  # backwards: bias, weight
    bent = last  # delta dot
    for i in range(len(layers) - 1, -1, -1):
        y = h[i]
        weight, bias = _outer(y, bent)
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
