"""A replacement for CUDA graphs on machines without a GPU: a tape of torch operations, replayed in the same memory."""

from collections.abc import Callable
from typing import Any

import optree
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from metarl.core.environment import Environment
from metarl.runtime.cuda_graphs import Capture, _parts


class Tape(TorchDispatchMode):
    """A mode that records every operation with its inputs and outputs; `replay` executes them again."""

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
            for target, value in zip(_tensors(out), _tensors(func(*args, **kwargs)), strict=True):
                if target is not value:
                    target.copy_(value)


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in optree.tree_leaves(tree, none_is_leaf=True) if isinstance(leaf, Tensor)]


def capture_on_tape(env: Environment, *owners: object) -> Capture:
    """Return a capture that restores all tensors after recording, as a GPU does; a physics step is one operation.

    owners: other objects with tensors that the captured function changes.
    """
    physics = getattr(env.simulation, "physics", None)
    tapes: list[Tape] = []

    def taped(function: Callable) -> Callable:
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
            setattr(physics, name, taped(getattr(physics, name)))

    def capture(work: Callable[[], None]) -> Callable[[], None]:
        objects = [*_parts([env, *owners]), *([physics] if physics is not None else [])]
        tensors = [t for owner in objects for t in _tensors(list(vars(owner).values()))]
        before = [t.clone() for t in tensors]
        with Tape() as tape:
            tapes.append(tape)
            work()
            tapes.pop()
        for tensor, value in zip(tensors, before, strict=True):
            tensor.copy_(value)
        return tape.replay

    return capture


def capture_while_running(work: Callable[[], None]) -> Callable[[], None]:
    """Execute `work` while its operations are recorded, unlike a GPU, and return the replay."""
    with Tape() as tape:
        work()
    return tape.replay
