"""A GRU on CPU, its forward and backward passes over whole trials written out for speed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from metarl.agents.networks import gru_steps

# Rows (steps x batch) that are worked on together: few enough to stay in cache and to be allocated without fresh pages
# from the system, enough for efficient matrix products. Speed is flat between 1024 and 2048.
_ROWS = 1024


def sequence(x: Tensor, h0: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> Tensor:
    """x [T, B, I], h0 [B, H] and the parameters of nn.GRU -> all hidden states [T, B, H]; differentiable once."""
    return _GRU.apply(x, h0, w_ih, w_hh, b_ih, b_hh)  # type: ignore[return-value]


class Folded(NamedTuple):
    """The weights of a GRU for states u = (h + 1) / 2 and tanh(a) = 2 s - 1, s = sigmoid(2 a).

    That sigmoid takes a third of torch.tanh's time, and the step becomes u' = (1 - z) s + z u; factors and shifts are
    in the weights. The product with x fills r, z, q, s with what does not depend on u; that with u adds to r, z, q.
    """

    w_x: Tensor  # [I, 4 H]
    w_u: Tensor  # [H, 3 H], packed
    b_x: Tensor  # [4 H]

    def gates(self, x: Tensor) -> Tensor:
        """[R, 4 H] of x [R, I]: what does not depend on the state."""
        return torch.addmm(self.b_x, x, self.w_x)

    def stepper(self) -> Callable[[Tensor, Tensor], Tensor]:
        """What takes x [B, I] and h [B, H] to the next state [B, H], by the compiled step."""
        w_x = gru_steps.pack(self.w_x)
        return lambda x, h: gru_steps.step(x, h, w_x, self.b_x, self.w_u)


def fold(w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> Folded:
    """From the parameters of nn.GRU."""
    (w_r, w_z, w_n), (b_r, b_z, b_n), (c_r, c_z, c_n) = w_ih.chunk(3), b_ih.chunk(3), b_hh.chunk(3)
    w_x = torch.cat((w_r, w_z, torch.zeros_like(w_n), 2 * w_n)).t().contiguous()
    b_x = torch.cat((torch.cat((b_r + c_r, b_z + c_z, c_n)) - w_hh.sum(1), 2 * b_n))
    return Folded(w_x, gru_steps.pack((2 * w_hh).t().contiguous()), b_x)


class _GRU(torch.autograd.Function):
    r"""All hidden states [T, B, H] of a GRU (Cho et al. 2014, in torch's parameterisation, where r acts after W).

    $r = \sigma(W_r x + b_r + U_r h + c_r)$, $z = \sigma(W_z x + b_z + U_z h + c_z)$, $q = U_n h + c_n$,
    $n = \tanh(W_n x + b_n + r q)$, $h' = (1 - z) n + z h$.

    Only what depends on h is computed step by step (gru_steps.py); the products with x, and all gradients of weights,
    are computed for a chunk of steps at once.
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
            xs = x[start : start + ctx.chunk]
            gates = folded.gates(xs.flatten(0, 1)).view(len(xs), batch, 4 * hidden)
            chunks.append(gates)
            gru_steps.forwards(us[start : start + len(xs) + 1], gates, folded.w_u)
        hs = torch.add(x.new_tensor(-1.0), us, alpha=2, out=us)
        ctx.save_for_backward(x, hs, w_ih, w_hh, *chunks)
        return hs[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Gradient [T, B, H] of the output -> gradients of forward's arguments."""
        x, hs, w_ih, w_hh, *chunks = ctx.saved_tensors
        hidden = hs.shape[-1]
        packed = gru_steps.pack(w_hh)
        # By gate, r, z, q, n: the weights that x meets, and the gradients of these and of all that is added.
        w_wide = torch.cat((w_ih[: 2 * hidden], torch.zeros_like(w_ih[:hidden]), w_ih[2 * hidden :]))
        dw_wide, db_wide = torch.zeros_like(w_wide), w_ih.new_zeros(4 * hidden)
        dw_hh, dh = torch.zeros_like(w_hh), torch.zeros_like(hs[0])
        dx = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        for i, gates in reversed(list(enumerate(chunks))):
            now = slice(i * ctx.chunk, i * ctx.chunk + len(gates))
            # Gradients of the states before the chunk, then after each of its steps, to which each step adds.
            dhs = torch.cat((torch.zeros_like(hs[:1]), grad[now]))
            dhs[-1] += dh
            d_rows = gru_steps.backwards(dhs, hs[now], gates, packed).flatten(0, 1)
            dh = dhs[0]
            dw_hh.addmm_(d_rows[:, : 3 * hidden].t(), hs[now].flatten(0, 1))
            dw_wide.addmm_(d_rows.t(), x[now].flatten(0, 1))
            db_wide += d_rows.sum(0)
            if dx is not None:
                dx[now] = (d_rows @ w_wide).view_as(x[now])
        (dw_r, dw_z, _, dw_n), (db_r, db_z, db_q, db_n) = dw_wide.chunk(4), db_wide.chunk(4)
        return (
            dx,
            dh,
            torch.cat((dw_r, dw_z, dw_n)),
            dw_hh,
            torch.cat((db_r, db_z, db_n)),
            torch.cat((db_r, db_z, db_q)),
        )
