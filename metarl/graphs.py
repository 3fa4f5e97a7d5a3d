"""A step as one CUDA graph: recorded once, replayed after that, in the memory it was recorded with.

The lines of worlds and agents make new tensors and bind them to names (`self.cell = there`); a graph reads and writes
where it did when it was recorded. So each tensor that an environment or an agent holds is given a place, the recorded
lines end by copying what they bound back into its place, and what is bound between two replays (new tasks, a new seed)
is copied there before the next: nothing is ever written into a graph that no longer reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, is_dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import TreeSpec, tree_flatten, tree_map_only, tree_unflatten

from metarl.errors import MetarlError

Record = Callable[[Callable[[], None]], Callable[[], None]]  # work -> what does it again, in the same memory

AS_THEY_STAND = 2  # calls before recording: what happens the first time only (compiling, reserving memory) is past then
FOREIGN = {"builtins", "torch", "numpy", "gymnasium", "mujoco", "mujoco_warp", "warp"}  # nothing of ours is held there


def cuda_graph(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """`work`, of torch operations alone, recorded on a GPU; what replays it."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(device), torch.cuda.graph(graph):
        work()
    return graph.replay


@dataclass
class Place:
    """Where an attribute's tensors are."""

    owner: object
    name: str
    value: Any  # a tensor, or a container of some
    leaves: list[Any]  # of the value
    spec: TreeSpec  # how they make up the value


class Held:
    """The tensors that objects and those they are made of hold in their attributes, each in a place of its own."""

    in_place = True  # its own tensors are those places

    def __init__(self, *roots: object) -> None:
        self._roots = list(roots)
        self._places: list[Place] | None = None
        self.generation = 0  # of places: graphs of an older one read where nothing is any more

    def add(self, root: object) -> None:
        """Hold another object's, too."""
        self._roots.append(root)
        self._places = None

    def settle(self) -> int:
        """Bind every name to its place, with the value bound now in it; the generation of places.

        New ones are made the first time, and where shapes or plain values (a horizon, say) are others than they were.
        """
        if self._places is None or not self._pour(self._places):
            self.generation += 1
            parts = list(_parts(self._roots))
            self._addresses: set[int] = set()
            self._places = [self._place(part, *item) for part in parts for item in _with_tensors(part)]
            self._plain = [(part, *item) for part in parts for item in vars(part).items() if _is_plain(item[1])]
        return self.generation

    def settle_all(self) -> int:
        """The same, with places for names, too, that held no tensors when the others got theirs."""
        known = {(id(place.owner), place.name) for place in self._places or []}
        if any((id(part), name) not in known for part in _parts(self._roots) for name, _ in _with_tensors(part)):
            self._places = None
        return self.settle()

    def own(self, tensor: Tensor) -> Tensor:
        """The tensor, or a copy where it lies in one of the places."""
        return tensor.clone() if _address(tensor) in self._addresses else tensor

    def _place(self, owner: object, name: str, value: Any) -> Place:
        leaves, spec = tree_flatten(value)
        own = [leaf.clone() if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        self._addresses |= {_address(leaf) for leaf in own if isinstance(leaf, Tensor)}
        place = Place(owner, name, tree_unflatten(own, spec), own, spec)
        setattr(owner, name, place.value)
        return place

    def _pour(self, places: list[Place]) -> bool:
        """False where values no longer fit their places."""
        moved: list[tuple[Tensor, Tensor]] = []
        anew = [place for place in places if not _as_placed(getattr(place.owner, place.name), place)]
        for place in anew:
            leaves, spec = tree_flatten(getattr(place.owner, place.name))
            if spec != place.spec or not all(map(_fits, leaves, place.leaves)):
                return False
            moved += [(own, x) for own, x in zip(place.leaves, leaves, strict=True) if isinstance(x, Tensor)]
        for place in anew:
            place.value = tree_unflatten(place.leaves, place.spec)
            setattr(place.owner, place.name, place.value)
        moved = [(own, x) for own, x in moved if own is not x]
        sources = [self.own(source) for _, source in moved]  # first: a place may be the source of another
        for (own, _), source in zip(moved, sources, strict=True):
            own.copy_(source)
        return all(getattr(part, name) == value for part, name, value in self._plain)


class Repeated:
    """A function of tensors that changes what an object holds, with the same results as if it were called."""

    def __init__(self, held: Held, function: Callable[..., Any], record: Record) -> None:
        self._held, self._function, self._record = held, function, record
        self._calls = 0
        self._generation = 0
        self._replay: Callable[[], None]
        self._inputs: list[Tensor] = []
        self._outputs: Any = None

    @torch.no_grad()
    def __call__(self, *inputs: Tensor) -> Any:
        if self._calls < AS_THEY_STAND:
            self._calls += 1
            return self._function(*inputs)
        if self._held.settle() != self._generation:
            self._generation = self._held.settle_all()
            self._inputs = [given.clone() for given in inputs]
            self._replay = self._record(self._work)
        for place, given in zip(self._inputs, inputs, strict=True):
            place.copy_(given)
        self._replay()
        return tree_map_only(Tensor, torch.clone, self._outputs)

    def _work(self) -> None:
        outputs = self._function(*self._inputs)
        self._outputs = tree_map_only(Tensor, self._held.own, outputs)
        if self._held.settle() != self._generation:
            raise MetarlError(
                f"{self._function.__qualname__} changes the shape of a tensor or a plain Python value that it holds; a "
                "CUDA graph would not do it again: keep what changes in a step in tensors"
            )


def _parts(roots: list[object]) -> Iterator[object]:
    """The objects and those reached through their attributes; none twice. What is frozen is left out."""
    seen, todo = {id(root) for root in roots}, list(roots)
    while todo:
        yield (owner := todo.pop())
        for value in vars(owner).values():
            for leaf in tree_flatten(value)[0]:
                if _may_hold(leaf) and id(leaf) not in seen:
                    seen.add(id(leaf))
                    todo.append(leaf)


def _with_tensors(owner: object) -> list[tuple[str, Any]]:
    """The attributes that hold any, with their values."""
    return [item for item in vars(owner).items() if any(isinstance(x, Tensor) for x in tree_flatten(item[1])[0])]


def _may_hold(value: object) -> bool:
    """Not what keeps its tensors in place by itself (`in_place`), nor functions, classes, other packages' objects."""
    kind = type(value)
    foreign = kind.__module__.partition(".")[0] in FOREIGN
    frozen = is_dataclass(value) and kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    in_place = frozen or callable(value) or getattr(value, "in_place", False)
    return hasattr(value, "__dict__") and not foreign and not in_place


def _is_plain(value: object) -> bool:
    return isinstance(value, bool | int | float | str)


def _as_placed(bound: object, place: Place) -> bool:
    """Whether nothing was bound anew; for containers of tensors alone, and quickly, for it is asked at each step."""
    if bound is not place.value:
        return False
    inside = bound.values() if isinstance(bound, dict) else bound if isinstance(bound, list) else ()
    return all(x is own for x, own in zip(inside, place.leaves, strict=False))


def _fits(value: Any, place: Any) -> bool:
    if not isinstance(place, Tensor):
        return not isinstance(value, Tensor) and value == place
    return isinstance(value, Tensor) and value.shape == place.shape and value.dtype == place.dtype


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
