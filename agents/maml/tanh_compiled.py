"""The passes of tanh_layers.py in compiled loops, which take a block of rows through all layers in the cache."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from metarl import compiled
from metarl.agents.maml.layers import Layer

try:
    from metarl.agents.maml import tanh_loops
    from metarl.agents.maml.tanh_loops import PASSES_2 as _  # noqa: F401 - of an older source its passes take other arguments
except ImportError:  # installed where there was no C compiler
    tanh_loops = None

COMPILED = tanh_loops is not None
WORTH_THREADS = 500_000  # multiplications of a pass: below, sharing them out takes longer than it saves

Seen = list[Tensor]  # what goes into each layer, [M, N, I]
Delta = Tensor | None  # delta of the first layer of several, [M, N, O]
Kept = list[Tensor]  # z dot of the hidden layers but the first, [M, N, O]
Addresses = tuple[int, ...]
Net = tuple[Addresses, int, Addresses, Addresses, int, int]  # sizes, rows, inputs, layers, tasks, threads


def serve(x: Tensor, layers: Sequence[Layer]) -> bool:
    """Whether the compiled loops serve x [M, N, I] and these layers; what does not fit together is left to torch."""
    if tanh_loops is None or len(layers) > tanh_loops.MOST:
        return False
    sizes = (x.shape[-1], *(bias.shape[-1] for _, bias in layers))
    parts = (x, *(part for layer in layers for part in layer))
    shapes = [((len(x), i, o), (len(x), o)) for i, o in pairwise(sizes)]
    return (
        all(size % tanh_loops.LANES == 0 for size in sizes[1:-1])
        and all((weight.shape, bias.shape) == shape for (weight, bias), shape in zip(layers, shapes, strict=True))
        and all(part.dtype == torch.float32 for part in parts)
        and compiled.may_read(*parts)
    )


def run(x: Tensor, layers: Sequence[Layer]) -> tuple[Seen, Tensor]:
    """What goes into each layer, and outputs [M, N, P]."""
    x = x.contiguous()
    seen = [x, *(x.new_empty(*x.shape[:2], bias.shape[-1]) for _, bias in layers[:-1])]
    out = x.new_empty(*x.shape[:2], layers[-1][1].shape[-1])
    net, _alive = _net(seen, layers)
    assert tanh_loops is not None  # they were asked whether they serve
    tanh_loops.run(*net, out.data_ptr())
    return seen, out


def pull(seen: Seen, u: Tensor, layers: Sequence[Layer], again: bool) -> tuple[list[Tensor], Delta]:
    """J^T u: of each layer the gradient of the weight [M, I, O] and of the bias [M, O]; `again`: what `bend` needs of
    it, too."""
    u, found = u.contiguous(), _like(layers)
    delta = torch.empty_like(seen[1]) if again and len(layers) > 1 else None
    net, _alive = _net(seen, layers)
    assert tanh_loops is not None  # they were asked whether they serve
    tanh_loops.pull(*net, u.data_ptr(), _address(delta), _addresses(found))
    return found, delta


def push(seen: Seen, layers: Sequence[Layer], along: Sequence[Layer]) -> tuple[Kept, Tensor]:
    """What `bend` needs of it, and J v [M, N, P]."""
    out = seen[0].new_empty(*seen[0].shape[:2], layers[-1][1].shape[-1])
    kept = [torch.empty_like(h) for h in seen[2:]]  # the first layer's is soon found again
    net, _alive = _net(seen, layers)
    ways, _alive_too = _described(along)
    assert tanh_loops is not None  # they were asked whether they serve
    tanh_loops.push(*net, ways, _addresses(kept), out.data_ptr())
    return kept, out


def bend(
    seen: Seen, delta: Delta, kept: Kept, u: Tensor, last: Tensor, layers: Sequence[Layer], along: Sequence[Layer]
) -> list[Tensor]:
    """The gradient of u^T J v + last^T (outputs), u and v held, as `pull` gives it; delta None: it is found again."""
    u, last, found = u.contiguous(), last.contiguous(), _like(layers)
    net, _alive = _net(seen, layers)
    ways, _alive_too = _described(along)
    assert tanh_loops is not None  # they were asked whether they serve
    tanh_loops.bend(*net, u.data_ptr(), _address(delta), ways, _addresses(kept), last.data_ptr(), _addresses(found))
    return found


def _net(seen: Seen, layers: Sequence[Layer]) -> tuple[Net, list[Tensor]]:
    """Sizes, rows, addresses of what goes into each layer, the layers, tasks, threads; what must live as long."""
    described, alive = _described(layers)
    tasks, rows, inputs = seen[0].shape
    sizes = (inputs, *(bias.shape[-1] for _, bias in layers))
    worth = tasks * rows * sum(i * o for i, o in pairwise(sizes)) >= WORTH_THREADS
    threads = min(torch.get_num_threads(), tasks) if worth else 1
    return (sizes, rows, _addresses(seen), described, tasks, threads), alive


def _described(layers: Sequence[Layer]) -> tuple[Addresses, list[Tensor]]:
    """Address and stride from task to task of each weight and bias; one set of weights may serve all tasks."""
    parts = [_rows_in_order(part) for layer in layers for part in layer]
    return tuple(number for part in parts for number in (part.data_ptr(), part.stride(0))), parts


def _rows_in_order(part: Tensor) -> Tensor:
    """The tensor, each task's own numbers contiguous."""
    return part if part[0].is_contiguous() else part.contiguous()


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _addresses(tensors: Sequence[Tensor]) -> Addresses:
    return tuple(tensor.data_ptr() for tensor in tensors)


def _like(layers: Sequence[Layer]) -> list[Tensor]:
    return [part.new_empty(part.shape) for layer in layers for part in layer]
