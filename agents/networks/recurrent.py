"""GRU and LSTM layers, over whole sequences and one step at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from metarl.agents.networks import gru

MemoryStep = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Recurrent(nn.Module):
    r"""A recurrent layer. Its state is one tensor [B, S]: h for a GRU, h and c concatenated for an LSTM.

    The parameters are those of torch.nn.GRU (Cho et al. 2014) and torch.nn.LSTM (Hochreiter & Schmidhuber 1997):
    $i, f, o = \sigma(W x + b + U h + c)$, $g = \tanh(W_g x + b_g + U_g h + c_g)$, $m' = f m + i g$, $h' = o \tanh m'$.
    Sequences hold no resets. The layers are torch's, except for the GRU on CPU: nn.GRU goes through autograd step by
    step there, and gru.py takes far less time. nn.LSTM is one oneDNN call on CPU.
    """

    def __init__(self, kind: Literal["gru", "lstm"], input_size: int, hidden_size: int) -> None:
        super().__init__()
        if kind not in ("gru", "lstm"):
            raise ValueError(f"kind must be 'gru' or 'lstm', not {kind!r}")
        self.kind = kind
        self.state_size = hidden_size if kind == "gru" else 2 * hidden_size
        self.rnn = (nn.GRU if kind == "gru" else nn.LSTM)(input_size, hidden_size)

    def initial_state(self, num_envs: int, device: torch.device | str | None = None) -> Tensor:
        """Return zeros [B, S], by default on the device of the parameters."""
        return self._weights()[0].new_zeros(num_envs, self.state_size, device=device)

    def stepper(self, in_place: bool = False) -> MemoryStep:
        """Return a function of x [B, I] and state [B, S] that returns output [B, H] and next state [B, S].

        It uses the current weights. in_place: it reads the weights at their addresses, and later updates take effect.
        """
        weights = self._weights()
        if self.kind == "lstm":
            return partial(_lstm_step, weights)
        if not in_place and gru.compiled(weights[1]) and not torch.is_grad_enabled():
            return gru.fold(*weights).stepper()
        return partial(_gru_step, weights)

    def sequence(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs [T, B, H] and final state [B, S] for x [T, B, I] and state [B, S]; differentiable once."""
        if self.kind == "gru":
            out = gru.sequence(x, state, *self._weights()) if x.is_cpu else self.rnn(x, state.unsqueeze(0))[0]
            return out, out[-1]
        h, c = state.unsqueeze(0).chunk(2, -1)
        out, (h, c) = self.rnn(x, (h.contiguous(), c.contiguous()))
        return out, torch.cat((h[0], c[0]), -1)

    def _weights(self) -> list[nn.Parameter]:
        """Return w_ih, w_hh, b_ih, b_hh."""
        return self.rnn.all_weights[0]


def _gru_step(weights: list[nn.Parameter], x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    h = torch.gru_cell(x, state, *weights)
    return h, h


def _lstm_step(weights: list[nn.Parameter], x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    h, c = torch.lstm_cell(x, state.chunk(2, -1), *weights)
    return h, torch.cat((h, c), -1)
