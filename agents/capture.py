"""A function of tensors as one CUDA graph, so that its many small operations are launched at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor

WARM_UP = 3  # calls before a graph is recorded: libraries choose and allocate at their first

Outputs = tuple[Any, ...]  # tensors, and None for what there is none of


class Captured:
    """`function(constants, *inputs)`; on CPU it is simply called.

    On CUDA it is called a few times on a stream of its own, then recorded once for all inputs of these shapes under
    these constants, and replayed from then on, with the same results. So beside its inputs it may read nothing but
    tensors that stay where they are (weights), and must not wait for the device. Its outputs hold until the next call.
    """

    def __init__(self, function: Callable[..., Outputs]) -> None:
        self.function = function
        self._calls: dict[Hashable, int] = {}
        self._recorded: dict[Hashable, tuple[Any, list[Tensor], Outputs]] = {}

    def __call__(self, constants: Hashable, *inputs: Tensor) -> Outputs:
        if not inputs[0].is_cuda:
            return self.function(constants, *inputs)
        key = (constants, *((x.shape, x.dtype) for x in inputs))
        calls = self._calls[key] = self._calls.get(key, 0) + 1
        if calls <= WARM_UP:
            return self._aside(constants, inputs)
        if key not in self._recorded:
            self._recorded[key] = self._record(constants, inputs)
        graph, kept, outputs = self._recorded[key]
        for there, here in zip(kept, inputs, strict=True):
            there.copy_(here)
        graph.replay()
        return outputs

    def _aside(self, constants: Hashable, inputs: tuple[Tensor, ...]) -> Outputs:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            outputs = self.function(constants, *inputs)
        torch.cuda.current_stream().wait_stream(stream)
        return outputs

    def _record(self, constants: Hashable, inputs: tuple[Tensor, ...]) -> tuple[Any, list[Tensor], Outputs]:
        graph, kept = torch.cuda.CUDAGraph(), [x.clone() for x in inputs]
        with torch.cuda.graph(graph):
            outputs = self.function(constants, *kept)
        return graph, kept, outputs
