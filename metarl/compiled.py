"""Whether compiled passes, which are given addresses and see memory alone, may stand in for torch operations."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch._C._functorch import peek_interpreter_stack


def may_read(*given: Tensor) -> bool:
    """Whether these are numbers in the computer's own memory, and nothing notes down or transforms what is done to
    them: no tape, trace, vmap or functionalisation."""
    return (
        all(type(x) in (Tensor, nn.Parameter) and x.is_cpu for x in given)
        and not torch._C._len_torch_dispatch_stack()
        and peek_interpreter_stack() is None
        and torch._C._get_tracing_state() is None
    )
