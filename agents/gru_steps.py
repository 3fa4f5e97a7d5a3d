"""What a GRU must do step by step: one call of compiled code for a chunk of steps, or a loop of torch operations."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

try:
    from metarl.agents import gru_loops
except ImportError:  # installed where there was no C compiler
    gru_loops = None

COMPILED = gru_loops is not None
_LANES = 8  # numbers that the compiled loops work on at once


def forwards(us: Tensor, gates: Tensor, w_u: Tensor) -> None:
    """Fill us [T + 1, B, H], of which the first is given, and gates r, z, q, s [T, B, 4 H], in place.

    The gates hold what does not depend on u. r, z, q += u w_u [H, 3 H]; r, z = sigmoid(r, z); s = sigmoid(s + 2 r q);
    the next u is (1 - z) s + z u.
    """
    (steps, batch, _), hidden = gates.shape, us.shape[-1]
    if gru_loops is not None and _fits(us, gates, w_u):
        gru_loops.forwards(us.data_ptr(), gates.data_ptr(), w_u.data_ptr(), steps, batch, hidden)
        return
    rzq, rz = gates[..., : 3 * hidden], gates[..., : 2 * hidden]
    for u, u_next, rzq_t, rz_t, r, z, q, s in _steps(us[:-1], us[1:], rzq, rz, *gates.chunk(4, -1)):
        rzq_t.addmm_(u, w_u)
        rz_t.sigmoid_()
        s.addcmul_(r, q, value=2).sigmoid_()
        torch.lerp(s, u, z, out=u_next)


def backwards(dhs: Tensor, d_rzq: Tensor, gates: Tensor, w_hh: Tensor) -> None:
    """Let gradients of the states dhs [T + 1, B, H] flow back in time, in place.

    d_rzq [T, B, 3 H] holds d(r, z, q) / d(next state), and then the gradients of r, z and q: d_rzq *= dh', last step
    first, and dh += dh' z + d_rzq w_hh [3 H, H]. Gates as `forwards` left them.
    """
    (steps, batch, _), hidden = gates.shape, dhs.shape[-1]
    if gru_loops is not None and _fits(dhs, d_rzq, gates, w_hh):
        pointers = (t.data_ptr() for t in (dhs, d_rzq, gates, w_hh))
        gru_loops.backwards(*pointers, steps, batch, hidden)
        return
    dhs_next, z = dhs[1:], gates[..., hidden : 2 * hidden]
    for dh_t, dh_next, dh_wide, gate, d_rzq_t, z_t in _steps_back(
        dhs[:-1], dhs_next, dhs_next.unsqueeze(2), d_rzq.unflatten(-1, (3, hidden)), d_rzq, z
    ):
        gate.mul_(dh_wide)  # d_rzq_t, seen as [B, 3, H]
        dh_t.addcmul_(dh_next, z_t).addmm_(d_rzq_t, w_hh)


def _fits(state: Tensor, *others: Tensor) -> bool:
    tensors = (state, *others)
    return state.shape[-1] % _LANES == 0 and all(t.dtype == torch.float32 and t.is_contiguous() for t in tensors)


def _steps(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(t.unbind() for t in tensors), strict=True)


def _steps_back(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(reversed(t.unbind()) for t in tensors), strict=True)
