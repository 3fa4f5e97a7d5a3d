"""GRU and LSTM layers over whole trials; the GRU's forward and backward passes on CPU are written out for speed."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from metarl.agents import gru_steps

# Rows (steps x batch) that are worked on together: few enough to stay in cache and to be allocated without fresh pages
# from the system, enough for efficient matrix products. Speed is flat between 1024 and 2048.
_ROWS = 1024


def _folded(w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The weights of a GRU [I, 4 H], [H, 3 H] and its biases [4 H], for states u = (h + 1) / 2 and tanh(a) = 2 s - 1.

    s = sigmoid(2a) takes a third of torch.tanh's time, and the step becomes u' = (1 - z) s + z u; factors and shifts
    are in the weights. The product with x fills r, z, q, s with what does not depend on u; that with u adds to r, z, q.
    """
    (w_r, w_z, w_n), (b_r, b_z, b_n), (c_r, c_z, c_n) = w_ih.chunk(3), b_ih.chunk(3), b_hh.chunk(3)
    w_x = torch.cat((w_r, w_z, torch.zeros_like(w_n), 2 * w_n)).t().contiguous()
    b_x = torch.cat((torch.cat((b_r + c_r, b_z + c_z, c_n)) - w_hh.sum(1), 2 * b_n))
    return w_x, (2 * w_hh).t().contiguous(), b_x


class _GRU(torch.autograd.Function):
    r"""All hidden states [T, B, H] of a GRU (Cho et al. 2014, in torch's parameterisation, where r acts after W).

    $r = \sigma(W_r x + b_r + U_r h + c_r)$, $z = \sigma(W_z x + b_z + U_z h + c_z)$, $q = U_n h + c_n$,
    $n = \tanh(W_n x + b_n + r q)$, $h' = (1 - z) n + z h$.

    Only what depends on h is computed step by step; the products with x, and all gradients of weights, are computed for
    a chunk of steps at once. The gate gradients are linear in $dh'$, so that their factors, too, are computed ahead.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, h0: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor
    ) -> Tensor:  # fmt: skip
        """x [T, B, I], h0 [B, H] and the parameters of nn.GRU -> [T, B, H]."""
        (length, batch, _), hidden = x.shape, h0.shape[1]
        ctx.chunk = max(1, _ROWS // batch)
        w_x, w_u, b_x = _folded(w_ih, w_hh, b_ih, b_hh)
        us = x.new_empty(length + 1, batch, hidden)
        us[0] = (h0 + 1) / 2
        chunks = []
        for start in range(0, length, ctx.chunk):
            xs = x[start : start + ctx.chunk]
            gates = torch.addmm(b_x, xs.flatten(0, 1), w_x).view(len(xs), batch, 4 * hidden)
            chunks.append(gates)
            gru_steps.forwards(us[start : start + len(xs) + 1], gates, w_u)
        hs = torch.add(x.new_tensor(-1.0), us, alpha=2, out=us)
        ctx.save_for_backward(x, hs, w_ih, w_hh, *chunks)
        return hs[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Gradient [T, B, H] of the output -> gradients of forward's arguments."""
        x, hs, w_ih, w_hh, *chunks = ctx.saved_tensors
        hidden = hs.shape[-1]
        dx = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        dw_ih, dw_hh, dh = torch.zeros_like(w_ih), torch.zeros_like(w_hh), torch.zeros_like(hs[0])
        db_ih, dc_n = w_ih.new_zeros(3 * hidden), w_ih.new_zeros(hidden)
        for i, gates in reversed(list(enumerate(chunks))):
            now = slice(i * ctx.chunk, i * ctx.chunk + len(gates))
            h, (r, z, q, s) = hs[now], gates.chunk(4, -1)
            # d(arguments of r's and z's sigmoids, n's tanh, and q) / dh'; each sigmoid_backward(g, y) is g y (1 - y).
            n_factor = torch.ops.aten.sigmoid_backward(4 - 4 * z, s)
            r_factor = torch.ops.aten.sigmoid_backward(n_factor * q, r)
            z_factor = torch.ops.aten.sigmoid_backward(torch.sub(h + 1, s, alpha=2), z)
            d_rzq = torch.cat((r_factor, z_factor, n_factor * r), -1)
            by_gate = d_rzq.unflatten(-1, (3, hidden))
            # Gradients of the states before the chunk, then after each of its steps, to which each step adds.
            dhs = torch.cat((torch.zeros_like(hs[:1]), grad[now]))
            dhs[-1] += dh
            gru_steps.backwards(dhs, d_rzq, gates, w_hh)
            dh, dhs_next = dhs[0], dhs[1:]
            d_rows, dq = d_rzq.flatten(0, 1), by_gate[:, :, 2]
            dw_hh.addmm_(d_rows.t(), h.flatten(0, 1))
            dc_n += dq.sum((0, 1))
            torch.mul(n_factor, dhs_next, out=dq)  # from here on d_rows holds r, z, n, whose products are with x
            dw_ih.addmm_(d_rows.t(), x[now].flatten(0, 1))
            db_ih += d_rows.sum(0)
            if dx is not None:
                dx[now] = (d_rows @ w_ih).view_as(x[now])
        return dx, dh, dw_ih, dw_hh, db_ih, torch.cat((db_ih[: 2 * hidden], dc_n))


class Recurrent(nn.Module):
    r"""One recurrent layer whose state is one tensor [B, S]: h for a GRU, h and c side by side for an LSTM.

    The parameters are those of torch.nn.GRU (Cho et al. 2014) and torch.nn.LSTM (Hochreiter & Schmidhuber 1997):
    $i, f, o = \sigma(W x + b + U h + c)$, $g = \tanh(W_g x + b_g + U_g h + c_g)$, $m' = f m + i g$, $h' = o \tanh m'$.
    Sequences hold no resets. torch's own layers run everywhere except for the GRU on CPU, where nn.GRU goes through
    autograd step by step and `_GRU` takes about half the time; nn.LSTM is one oneDNN call there.
    """

    def __init__(self, kind: Literal["gru", "lstm"], input_size: int, hidden_size: int) -> None:
        super().__init__()
        if kind not in ("gru", "lstm"):
            raise ValueError(f"kind must be 'gru' or 'lstm', not {kind!r}")
        self.kind = kind
        self.state_size = hidden_size if kind == "gru" else 2 * hidden_size
        self.rnn = (nn.GRU if kind == "gru" else nn.LSTM)(input_size, hidden_size)

    def initial_state(self, num_envs: int, device: torch.device | str | None = None) -> Tensor:
        """[B, S] of zeros, by default where the parameters are."""
        return self._weights()[0].new_zeros(num_envs, self.state_size, device=device)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One step of x [B, I] from state [B, S]: output [B, H] and next state [B, S]."""
        if self.kind == "gru":
            h = torch.gru_cell(x, state, *self._weights())
            return h, h
        h, c = torch.lstm_cell(x, state.chunk(2, -1), *self._weights())
        return h, torch.cat((h, c), -1)

    def sequence(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """All steps of x [T, B, I] from state [B, S]: outputs [T, B, H], final state [B, S]; differentiable once."""
        if self.kind == "gru":
            out = _GRU.apply(x, state, *self._weights()) if x.is_cpu else self.rnn(x, state.unsqueeze(0))[0]
            return out, out[-1]
        h, c = state.unsqueeze(0).chunk(2, -1)
        out, (h, c) = self.rnn(x, (h.contiguous(), c.contiguous()))
        return out, torch.cat((h[0], c[0]), -1)

    def _weights(self) -> list[nn.Parameter]:
        """w_ih, w_hh, b_ih, b_hh."""
        return self.rnn.all_weights[0]
