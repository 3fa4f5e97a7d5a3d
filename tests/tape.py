"""What stands in for a CUDA graph on a machine without a GPU: a tape of torch's operations, done again in the same
memory."""

from collections.abc import Callable
from typing import Any

import optree
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from metarl.core.environment import Environment
from metarl.runtime.cuda_graphs import Capture, _parts


class Tape(TorchDispatchMode):
    """Every operation with the tensors it read and made."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[tuple[Callable, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        aliases = [r.alias_info for r in func._schema.returns if r.alias_info]
        if not aliases or any(alias.is_write for alias in aliases):  # a view stays a view of the same memory
            self.entries.append((func, args, kwargs or {}, out))
        return out

    def replay(self) -> None:
        for func, args, kwargs, out in self.entries:
            for place, value in zip(_tensors(out), _tensors(func(*args, **kwargs)), strict=True):
                if place is not value:
                    place.copy_(value)


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in optree.tree_leaves(tree, none_is_leaf=True) if isinstance(leaf, Tensor)]


def recorder(env: Environment, *owners: object) -> Capture:
    """Records as a GPU does: nothing happens but that it is noted down. The physics is one operation of it.

    owners: other objects whose tensors are changed by what is recorded.
    """
    physics = getattr(env.simulation, "physics", None)
    tapes: list[Tape] = []

    def noted(function: Callable) -> Callable:
        def call(*args: Any) -> Any:
            if not tapes:
                return function(*args)
            with _disable_current_modes():
                out = function(*args)
            out = out.clone() if isinstance(out, Tensor) else out
            tapes[-1].entries.append((function, args, {}, out))
            return out

        return call

    if physics is not None:
        for name in ("step", "reset", "refresh"):
            setattr(physics, name, noted(getattr(physics, name)))

    def record(work: Callable[[], None]) -> Callable[[], None]:
        held = [*_parts([env, *owners]), *([physics] if physics is not None else [])]
        live = [t for owner in held for t in _tensors(list(vars(owner).values()))]
        before = [t.clone() for t in live]
        with Tape() as tape:
            tapes.append(tape)
            work()
            tapes.pop()
        for tensor, value in zip(live, before, strict=True):
            tensor.copy_(value)
        return tape.replay

    return record


def again(work: Callable[[], None]) -> Callable[[], None]:
    """Records while it happens."""
    with Tape() as tape:
        work()
    return tape.replay
