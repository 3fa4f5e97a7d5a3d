"""The passes of tanh_layers.py in compiled loops, which take a block of rows through all layers in the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import torch
from torch import Tensor

from metarl.agents.maml.layers import Layer

try:
    from metarl.agents.maml import tanh_loops
except ImportError:  # installed where there was no C compiler
    tanh_loops = None

COMPILED = tanh_loops is not None
LANES, MOST = 8, 8  # units that are worked on at once; layers
WORTH_A_THREAD = 20_000_000  # multiplications of a pass: below, starting a thread takes longer than it saves

Seen = list[Tensor]  # what goes into each layer, [M, N, I]


def serve(x: Tensor, layers: Sequence[Layer]) -> bool:
    """Whether the compiled loops serve x [M, N, I] and these layers."""
    return (
        tanh_loops is not None
        and len(layers) <= MOST
        and all(bias.shape[-1] % LANES == 0 for _, bias in layers[:-1])
        and all(given.is_cpu and given.dtype == torch.float32 for given in (x, *(p for layer in layers for p in layer)))
    )


def run(x: Tensor, layers: Sequence[Layer]) -> tuple[Seen, Tensor]:
    """What goes into each layer, and outputs [M, N, P]."""
    x = x.contiguous()
    seen = [x, *(x.new_empty(*x.shape[:2], bias.shape[-1]) for _, bias in layers[:-1])]
    out = x.new_empty(*x.shape[:2], layers[-1][1].shape[-1])
    net, _kept = _net(seen, layers)
    _for_all_tasks(seen, layers, lambda i: tanh_loops.run(*net, i, i + 1, out.data_ptr()))
    return seen, out


def pull(seen: Seen, u: Tensor, layers: Sequence[Layer]) -> list[Tensor]:
    """J^T u: of each layer the gradient of the weight [M, I, O] and of the bias [M, O]."""
    u, found = u.contiguous(), _like(layers)
    net, _kept = _net(seen, layers)
    to = tuple(part.data_ptr() for part in found)
    _for_all_tasks(seen, layers, lambda i: tanh_loops.pull(*net, i, i + 1, u.data_ptr(), to))
    return found


def bend(seen: Seen, u: Tensor, layers: Sequence[Layer], along: Sequence[Layer]) -> list[Tensor]:
    """The derivative of u^T J v by u [M, N, P], then as `pull`."""
    u, found, out = u.contiguous(), _like(layers), torch.empty_like(u, memory_format=torch.contiguous_format)
    net, _kept = _net(seen, layers)
    ways, _kept_too = _described(along)
    to = tuple(part.data_ptr() for part in found)
    _for_all_tasks(
        seen, layers, lambda i: tanh_loops.bend(*net, i, i + 1, u.data_ptr(), ways, out.data_ptr(), to), passes=3
    )
    return [out, *found]


def _net(seen: Seen, layers: Sequence[Layer]) -> tuple[tuple, list[Tensor]]:
    """Sizes, rows, addresses of what goes into each layer and the layers; what must live as long as these."""
    described, kept = _described(layers)
    sizes = (seen[0].shape[-1], *(bias.shape[-1] for _, bias in layers))
    return (sizes, seen[0].shape[1], tuple(h.data_ptr() for h in seen), described), kept


def _described(layers: Sequence[Layer]) -> tuple[tuple[int, ...], list[Tensor]]:
    """Address and stride from task to task of each weight and bias; one set of weights may serve all tasks."""
    parts = [_rows_in_order(part) for layer in layers for part in layer]
    return tuple(number for part in parts for number in (part.data_ptr(), part.stride(0))), parts


def _rows_in_order(part: Tensor) -> Tensor:
    """The tensor, each task's own numbers contiguous."""
    return part if part[0].is_contiguous() else part.contiguous()


def _like(layers: Sequence[Layer]) -> list[Tensor]:
    return [part.new_empty(part.shape) for layer in layers for part in layer]


def _for_all_tasks(seen: Seen, layers: Sequence[Layer], work: Callable[[int], None], passes: int = 1) -> None:
    """The work of each task, in as many threads as torch has where that pays; who is done takes the next task."""
    tasks, rows = seen[0].shape[:2]
    products = sum(i * o for i, o in pairwise((seen[0].shape[-1], *(bias.shape[-1] for _, bias in layers))))
    threads = min(torch.get_num_threads(), tasks) if passes * tasks * rows * products >= WORTH_A_THREAD else 1
    left = iter(range(tasks))

    def share() -> None:
        for i in left:
            work(i)

    if threads == 1:
        share()
        return
    with ThreadPoolExecutor(threads - 1) as pool:
        helping = [pool.submit(share) for _ in range(threads - 1)]
        share()
    for helper in helping:
        helper.result()  # raises what went wrong there
