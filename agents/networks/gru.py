"""A GRU on CPU, with its forward and backward passes over whole trials written out for speed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

try:
    from metarl.agents.networks import gru_loops
    from metarl.agents.networks.gru_loops import step as _  # noqa: F401 - missing if compiled from an older source
except ImportError:  # installed without a C compiler
    gru_loops = None

COMPILED = gru_loops is not None
_LANES = 8  # numbers in a vector of the compiled loops

# Rows (steps x batch) of a chunk: few enough to stay in cache and to be allocated without new pages from the operating
# system, enough for efficient matrix products. Speed is flat between 1024 and 2048.
_ROWS = 1024


def sequence(x: Tensor, h0: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> Tensor:
    """Return the states [T, B, H] for x [T, B, I], h0 [B, H] and the parameters of nn.GRU; differentiable once."""
    return _GRU.apply(x, h0, w_ih, w_hh, b_ih, b_hh)  # type: ignore[return-value]


class Folded(NamedTuple):
    """The weights of a GRU in terms of u = (h + 1) / 2 and s = sigmoid(2 a), where tanh(a) = 2 s - 1.

    The sigmoid takes a third of torch.tanh's time, and the step becomes u' = (1 - z) s + z u. Factors and shifts are
    folded into the weights. The product with x gives the parts of r, z, q, s that do not depend on u; the product with
    u adds to r, z, q.
    """

    w_x: Tensor  # [I, 4 H]
    w_u: Tensor  # [H, 3 H], packed
    b_x: Tensor  # [4 H]

    def gates(self, x: Tensor) -> Tensor:
        """Return the part of the gates that does not depend on the state, [R, 4 H], for x [R, I]."""
        return torch.addmm(self.b_x, x, self.w_x)

    def stepper(self) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return the compiled step, a function of x [B, I] and h [B, H] that returns the next state [B, H], twice."""
        w_x = pack(self.w_x)

        def run(x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
            h = step(x, h, w_x, self.b_x, self.w_u)
            return h, h

        return run


def fold(w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> Folded:
    """Return the folded weights for the parameters of nn.GRU."""
    (w_r, w_z, w_n), (b_r, b_z, b_n), (c_r, c_z, c_n) = w_ih.chunk(3), b_ih.chunk(3), b_hh.chunk(3)
    w_x = torch.cat((w_r, w_z, torch.zeros_like(w_n), 2 * w_n)).t().contiguous()
    b_x = torch.cat((torch.cat((b_r + c_r, b_z + c_z, c_n)) - w_hh.sum(1), 2 * b_n))
    return Folded(w_x, pack((2 * w_hh).t().contiguous()), b_x)


class _GRU(torch.autograd.Function):
    r"""The hidden states [T, B, H] of a GRU (Cho et al. 2014, in torch's parameterisation: r is applied after U_n).

    $r = \sigma(W_r x + b_r + U_r h + c_r)$, $z = \sigma(W_z x + b_z + U_z h + c_z)$, $q = U_n h + c_n$,
    $n = \tanh(W_n x + b_n + r q)$, $h' = (1 - z) n + z h$.

    Only the terms that depend on h are computed step by step (below). The products with x, and all gradients of
    weights, are computed for a chunk of steps at once.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, h0: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor
    ) -> Tensor:  # fmt: skip
        (length, batch, _), hidden = x.shape, h0.shape[1]
        ctx.chunk = max(1, _ROWS // batch)
        folded = fold(w_ih, w_hh, b_ih, b_hh)
        us = x.new_empty(length + 1, batch, hidden)
        us[0] = (h0 + 1) / 2
        chunks = []
        for start in range(0, length, ctx.chunk):
            x_chunk = x[start : start + ctx.chunk]
            gates = folded.gates(x_chunk.flatten(0, 1)).view(len(x_chunk), batch, 4 * hidden)
            chunks.append(gates)
            forwards(us[start : start + len(x_chunk) + 1], gates, folded.w_u)
        hs = torch.add(x.new_tensor(-1.0), us, alpha=2, out=us)
        ctx.save_for_backward(x, hs, w_ih, w_hh, *chunks)
        return hs[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Return the gradients of the arguments of `forward` for the gradient [T, B, H] of its output."""
        x, hs, w_ih, w_hh, *chunks = ctx.saved_tensors
        hidden = hs.shape[-1]
        packed = pack(w_hh)
        # By gate, r, z, q, n: the weights of x, their gradients, and the gradients of the biases.
        w_x_wide = torch.cat((w_ih[: 2 * hidden], torch.zeros_like(w_ih[:hidden]), w_ih[2 * hidden :]))
        dw_x, db = torch.zeros_like(w_x_wide), w_ih.new_zeros(4 * hidden)
        dw_hh, dh = torch.zeros_like(w_hh), torch.zeros_like(hs[0])
        dx = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        for i, gates in reversed(list(enumerate(chunks))):
            steps = slice(i * ctx.chunk, i * ctx.chunk + len(gates))
            # Gradients of the state before the chunk and after each of its steps; every step adds to them.
            dhs = torch.cat((torch.zeros_like(hs[:1]), grad[steps]))
            dhs[-1] += dh
            d_rows = backwards(dhs, hs[steps], gates, packed).flatten(0, 1)
            dh = dhs[0]
            dw_hh.addmm_(d_rows[:, : 3 * hidden].t(), hs[steps].flatten(0, 1))
            dw_x.addmm_(d_rows.t(), x[steps].flatten(0, 1))
            db += d_rows.sum(0)
            if dx is not None:
                dx[steps] = (d_rows @ w_x_wide).view_as(x[steps])
        (dw_r, dw_z, _, dw_n), (db_r, db_z, db_q, db_n) = dw_x.chunk(4), db.chunk(4)
        return (
            dx,
            dh,
            torch.cat((dw_r, dw_z, dw_n)),
            dw_hh,
            torch.cat((db_r, db_z, db_n)),
            torch.cat((db_r, db_z, db_q)),
        )


# The sequential part: compiled code for a chunk of steps, or a loop of torch operations -------------------------------


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
