"""A step as one CUDA graph: captured once, replayed after that, in the memory it was captured with.

The lines of worlds and agents make new tensors and bind them to names (`self.cell = there`); a graph reads and writes
where it did when it was captured. So each tensor that an environment or an agent holds gets a static buffer. The
captured lines end by copying what they bound back into its buffer. What is bound between two replays (new tasks, a new
seed) is copied there before the next replay.

Where a capture fails, the function runs eagerly from then on, after one warning.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass
from typing import Any

import optree
import torch
from torch import Tensor

from metarl.errors import MetarlError

Capture = Callable[[Callable[[], None]], Callable[[], None]]  # work -> what replays it, in the same memory

EAGER_CALLS = 2  # calls before the capture: what happens the first time only (compiling, reserving memory) is past then
FOREIGN = {"builtins", "torch", "numpy", "gymnasium", "mujoco", "mujoco_warp", "warp"}  # these hold no tensors of ours

_enabled = True


@contextmanager
def enabled(on: bool) -> Iterator[None]:
    """Within, environments that are made on a GPU capture their steps as CUDA graphs, or run eagerly."""
    global _enabled
    before, _enabled = _enabled, on
    try:
        yield
    finally:
        _enabled = before


def are_enabled() -> bool:
    """Return whether environments that are made now may use CUDA graphs."""
    return _enabled


def capture_cuda_graph(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Capture `work`, torch operations alone, on a GPU; returns the function that replays it."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(device), torch.cuda.graph(graph):
        work()
    return graph.replay


@dataclass
class StaticBuffer:
    """The fixed memory of one attribute's tensors."""

    owner: object
    name: str
    value: Any  # a tensor, or a container of tensors
    leaves: list[Any]  # of the value
    spec: optree.PyTreeSpec  # how the leaves make up the value


class StaticTensors:
    """The tensors that objects and their parts hold in attributes, each in a static buffer."""

    in_place = True  # its own tensors are those buffers

    def __init__(self, *roots: object) -> None:
        self._roots = list(roots)
        self._buffers: list[StaticBuffer] | None = None
        self._addresses: set[int] = set()
        self.eager = False  # after a capture has failed, all functions of these objects run eagerly
        self.generation = 0  # of buffers: graphs of an older generation read memory that nothing is bound to

    def add(self, root: object) -> None:
        """Hold the tensors of another object, too."""
        self._roots.append(root)
        self._buffers = None

    def bind(self) -> int:
        """Bind every name to its buffer, with the present value copied into it; returns the generation of buffers.

        New buffers are made the first time, and where shapes or plain values (such as a horizon) have changed.
        """
        if self._buffers is None or not self._fill(self._buffers):
            self.generation += 1
            parts = list(_parts(self._roots))
            self._addresses = set()
            self._buffers = [self._buffer(part, *item) for part in parts for item in _with_tensors(part)]
            self._plain = [(part, *item) for part in parts for item in vars(part).items() if _is_plain(item[1])]
        return self.generation

    def bind_all(self) -> int:
        """Bind, with buffers also for names that held no tensors when the others got theirs."""
        known = {(id(buffer.owner), buffer.name) for buffer in self._buffers or []}
        if any((id(part), name) not in known for part in _parts(self._roots) for name, _ in _with_tensors(part)):
            self._buffers = None
        return self.bind()

    def restore(self, buffers: list[StaticBuffer]) -> None:
        """Bind every name to the buffer it had; the next `bind` makes new buffers."""
        for buffer in buffers:
            setattr(buffer.owner, buffer.name, buffer.value)
        self._buffers = None

    @property
    def buffers(self) -> list[StaticBuffer]:
        return list(self._buffers or [])

    def separate(self, tensor: Tensor) -> Tensor:
        """Return the tensor, or a copy where it lies in one of the buffers."""
        return tensor.clone() if _address(tensor) in self._addresses else tensor

    def _buffer(self, owner: object, name: str, value: Any) -> StaticBuffer:
        leaves, spec = optree.tree_flatten(value, none_is_leaf=True)
        own = [leaf.clone() if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        self._addresses |= {_address(leaf) for leaf in own if isinstance(leaf, Tensor)}
        buffer = StaticBuffer(owner, name, optree.tree_unflatten(spec, own), own, spec)
        setattr(owner, name, buffer.value)
        return buffer

    def _fill(self, buffers: list[StaticBuffer]) -> bool:
        """Copy each newly assigned value into its buffer; return False where one no longer fits."""
        moved: list[tuple[Tensor, Tensor]] = []
        changed = [buffer for buffer in buffers if not _is_bound(getattr(buffer.owner, buffer.name), buffer)]
        for buffer in changed:
            leaves, spec = optree.tree_flatten(getattr(buffer.owner, buffer.name), none_is_leaf=True)
            if spec != buffer.spec or not all(map(_fits, leaves, buffer.leaves)):
                return False
            moved += [(own, x) for own, x in zip(buffer.leaves, leaves, strict=True) if isinstance(x, Tensor)]
        for buffer in changed:
            buffer.value = optree.tree_unflatten(buffer.spec, buffer.leaves)
            setattr(buffer.owner, buffer.name, buffer.value)
        moved = [(own, x) for own, x in moved if own is not x]
        sources = [self.separate(source) for _, source in moved]  # first: a buffer may be the source of another
        for (own, _), source in zip(moved, sources, strict=True):
            own.copy_(source)
        return all(getattr(part, name) == value for part, name, value in self._plain)


class GraphedCallable:
    """A function of tensors that changes what objects hold, replayed as a graph with the same results as a call."""

    def __init__(self, statics: StaticTensors, function: Callable[..., Any], capture: Capture) -> None:
        self._statics, self._function, self._capture = statics, function, capture
        self._calls = 0
        self._generation = 0
        self._replay: Callable[[], None]
        self._inputs: list[Tensor] = []
        self._outputs: Any = None

    @torch.no_grad()
    def __call__(self, *inputs: Tensor) -> Any:
        if self._statics.eager or self._calls < EAGER_CALLS:
            self._calls += 1
            return self._function(*inputs)
        if self._statics.bind() != self._generation and not self._recapture(inputs):
            return self._function(*inputs)
        for buffer, given in zip(self._inputs, inputs, strict=True):
            buffer.copy_(given)
        self._replay()
        return _map_tensors(torch.clone, self._outputs)

    def _recapture(self, inputs: tuple[Tensor, ...]) -> bool:
        """Capture the function and return True. Where that fails, warn, and run eagerly from now on."""
        self._generation = self._statics.bind_all()
        self._inputs = [given.clone() for given in inputs]
        buffers = self._statics.buffers
        try:
            self._replay = self._capture(self._work)
        except Exception as error:  # what an operation raises under capture depends on the operation
            self._statics.restore(buffers)
            self._statics.eager = True
            name = getattr(self._function, "__qualname__", type(self._function).__name__)
            warnings.warn(
                f"{name} could not be captured as a CUDA graph and runs eagerly, more slowly, from now on "
                f"({type(error).__name__}: {error}); --no-cuda-graphs leaves out the attempt",
                stacklevel=3,
            )
            return False
        return True

    def _work(self) -> None:
        outputs = self._function(*self._inputs)
        self._outputs = _map_tensors(self._statics.separate, outputs)
        if self._statics.bind() != self._generation:
            raise MetarlError(
                "it changes the shape of a tensor or a plain Python value that it holds, which a graph would not do "
                "again: keep what changes in a step in tensors"
            )


def _parts(roots: list[object]) -> Iterator[object]:
    """Yield the objects and those reachable through their attributes, once each, except frozen ones."""
    seen, todo = {id(root) for root in roots}, list(roots)
    while todo:
        yield (owner := todo.pop())
        for value in vars(owner).values():
            for leaf in _leaves(value):
                if _may_hold(leaf) and id(leaf) not in seen:
                    seen.add(id(leaf))
                    todo.append(leaf)


def _with_tensors(owner: object) -> list[tuple[str, Any]]:
    """Return the attributes that hold tensors, with their values."""
    return [item for item in vars(owner).items() if any(isinstance(x, Tensor) for x in _leaves(item[1]))]


def _may_hold(value: object) -> bool:
    """Return whether an object may hold tensors that are bound: not functions, classes, objects of other packages,
    frozen dataclasses, or objects that keep their tensors in place (`in_place`).
    """
    kind = type(value)
    foreign = kind.__module__.partition(".")[0] in FOREIGN
    frozen = is_dataclass(value) and kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    in_place = frozen or callable(value) or getattr(value, "in_place", False)
    return hasattr(value, "__dict__") and not foreign and not in_place


def _leaves(value: object) -> list[Any]:
    return optree.tree_leaves(value, none_is_leaf=True)  # type: ignore[arg-type]


def _map_tensors(function: Callable[[Tensor], Tensor], tree: Any) -> Any:
    return optree.tree_map(lambda x: function(x) if isinstance(x, Tensor) else x, tree, none_is_leaf=True)


def _is_plain(value: object) -> bool:
    return isinstance(value, bool | int | float | str)


def _is_bound(bound: object, buffer: StaticBuffer) -> bool:
    """Return whether no new value was assigned. It runs at each step, so it looks into containers of tensors only."""
    if bound is not buffer.value:
        return False
    if not isinstance(bound, dict | list):
        return True
    inside = _leaves(bound)
    return len(inside) == len(buffer.leaves) and all(map(operator.is_, inside, buffer.leaves))


def _fits(value: Any, buffer: Any) -> bool:
    if not isinstance(buffer, Tensor):
        return not isinstance(value, Tensor) and value == buffer
    return isinstance(value, Tensor) and value.shape == buffer.shape and value.dtype == buffer.dtype


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
