"""The part of a GRU that is sequential in time: compiled code for a chunk of steps, or a loop of torch operations."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

try:
    from metarl.agents.networks import gru_loops
    from metarl.agents.networks.gru_loops import step as _  # noqa: F401 - missing if compiled from an older source
except ImportError:  # installed without a C compiler
    gru_loops = None

COMPILED = gru_loops is not None
_LANES = 8  # numbers in a vector of the compiled loops


def compiled(like: Tensor) -> bool:
    """Return whether the compiled loops support states like these [..., H]."""
    return gru_loops is not None and like.dtype == torch.float32 and like.is_cpu and like.shape[-1] % _LANES == 0


def pack(w: Tensor) -> Tensor:
    """Return weights [K, N] in the layout of the loops below; the compiled loops have a layout of tiles."""
    if gru_loops is None or not compiled(w[0]):
        return w
    w, packed = w.contiguous(), torch.empty(w.shape)
    gru_loops.pack(w.data_ptr(), packed.data_ptr(), *w.shape)
    return packed


def forwards(us: Tensor, gates: Tensor, w_u: Tensor) -> None:
    """Compute the states us [T + 1, B, H] from the first one, and the gates r, z, q, s [T, B, 4 H], both in place.

    On entry the gates hold their parts that do not depend on u. A step is r, z, q += u w_u, with w_u [H, 3 H] packed;
    r, z = sigmoid(r, z); s = sigmoid(s + 2 r q); the next u is (1 - z) s + z u. `us` and `gates` are contiguous.
    """
    (steps, batch, _), hidden = gates.shape, us.shape[-1]
    if gru_loops is not None and compiled(us):
        gru_loops.forwards(us.data_ptr(), gates.data_ptr(), w_u.data_ptr(), steps, batch, hidden)
        return
    rzq, rz = gates[..., : 3 * hidden], gates[..., : 2 * hidden]
    for u, u_next, rzq_t, rz_t, r, z, q, s in _steps(us[:-1], us[1:], rzq, rz, *gates.chunk(4, -1)):
        rzq_t.addmm_(u, w_u)
        rz_t.sigmoid_()
        s.addcmul_(r, q, value=2).sigmoid_()
        torch.lerp(s, u, z, out=u_next)


def step(x: Tensor, h: Tensor, w_x: Tensor, b_x: Tensor, w_u: Tensor) -> Tensor:
    """Return the next state [B, H] for x [B, I] and h [B, H], by compiled code. w_x [I, 4 H], w_u [H, 3 H] packed."""
    assert gru_loops is not None
    (batch, inputs), hidden = x.shape, h.shape[1]
    x, h = x.to(h.dtype).contiguous(), h.contiguous()
    if len(h) != batch or inputs != len(w_x):
        raise ValueError(f"x {tuple(x.shape)} and h {tuple(h.shape)} do not fit weights of {len(w_x)} inputs")
    next_h, scratch = torch.empty_like(h), h.new_empty(6 * batch * hidden)
    gru_loops.step(
        x.data_ptr(), h.data_ptr(), next_h.data_ptr(), w_x.data_ptr(), b_x.data_ptr(), w_u.data_ptr(),
        scratch.data_ptr(), batch, inputs, hidden,
    )  # fmt: skip
    return next_h


def backwards(dhs: Tensor, hs: Tensor, gates: Tensor, w_hh: Tensor) -> Tensor:
    """Propagate gradients of the states, dhs [T + 1, B, H], back in time, in place; return those of the gates.

    hs [T, B, H]: the states before each step. gates: as computed by `forwards`. w_hh: [3 H, H], packed. All arguments
    are contiguous. The result [T, B, 4 H] holds the gradients of the arguments of the sigmoids of r and z, of q, and of
    the argument of the tanh of n (n = 2 s - 1).
    """
    (steps, batch, _), hidden = gates.shape, dhs.shape[-1]
    if gru_loops is not None and compiled(dhs):
        d = torch.empty_like(gates)
        gru_loops.backwards(
            dhs.data_ptr(), d.data_ptr(), hs.data_ptr(), gates.data_ptr(), w_hh.data_ptr(), steps, batch, hidden
        )
        return d
    r, z, q, s = gates.chunk(4, -1)
    # The gradients are linear in dh', and their factors are computed ahead; sigmoid_backward(g, y) is g y (1 - y).
    n_factor = torch.ops.aten.sigmoid_backward(4 - 4 * z, s)
    r_factor = torch.ops.aten.sigmoid_backward(n_factor * q, r)
    z_factor = torch.ops.aten.sigmoid_backward(torch.sub(hs + 1, s, alpha=2), z)
    d = torch.cat((r_factor, z_factor, n_factor * r, n_factor), -1)
    by_gate, d_rzq, after = d.unflatten(-1, (4, hidden)), d[..., : 3 * hidden], dhs[1:]
    for dh, dh_next, dh_wide, gate, d_rzq_t, z_t in _steps_back(dhs[:-1], after, after.unsqueeze(2), by_gate, d_rzq, z):
        gate.mul_(dh_wide)
        dh.addcmul_(dh_next, z_t).addmm_(d_rzq_t, w_hh)
    return d


def _steps(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(t.unbind() for t in tensors), strict=True)


def _steps_back(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(reversed(t.unbind()) for t in tensors), strict=True)
