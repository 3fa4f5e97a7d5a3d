"""An associative memory over whole trials: results of past steps, stored and read by the inputs they belong to."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

KEYS = 16  # K, the size of a key: this many different keys are stored without crosstalk
_CHUNK = 128  # steps that are compared with one another in one product; the cost of a step grows with it


class Associative(nn.Module):
    r"""A memory matrix M, written and then read at each step (fast weights: Schmidhuber 1992, Ba et al. 2016).

    For inputs $x_t$, $M_t = M_{t-1} + k_t v_t^\top$ is read as $r_t = q_t^\top M_t / \sqrt K$. The key
    $k_t = W_k x_{t-1} + b_k$ depends on the previous input; the query $q_t = W_q x_t + b_q$ and the value
    $v_t = (A x_t + a) \odot (C x_t + c)$ on the current one. An input holds an observation, and the action and reward
    that led to it. A value can therefore be that action times that reward, stored under the observation in which the
    action was taken. $r_t$ holds sums; the output $r_t / (1 + |D r_t + d|)$ can divide a sum of rewards by their number
    and so give a mean. A gated network would have to learn such products and quotients. Nothing is forgotten.

    A state [B, S] is M and the last input. Whole sequences are products of matrices (Katharopoulos et al. 2020).
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.state_size = KEYS * hidden_size + input_size
        self.key, self.query = nn.Linear(input_size, KEYS), nn.Linear(input_size, KEYS)
        self.value = nn.Linear(input_size, 2 * hidden_size)  # both factors
        self.divisor = nn.Linear(hidden_size, hidden_size)

    def initial_state(self, num_envs: int, device: torch.device | str | None = None) -> Tensor:
        """Return zeros [B, S], by default on the device of the parameters."""
        return self.key.weight.new_zeros(num_envs, self.state_size, device=device)

    def stepper(self, in_place: bool = False) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return `step`; there is nothing to prepare."""
        return self.step

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return output [B, H] and next state [B, S] for x [B, I] and state [B, S]."""
        memory, last_input = self._split(state)
        memory = memory + self.key(last_input).unsqueeze(2) * self._values(x).unsqueeze(1)
        read = (self._queries(x).unsqueeze(1) @ memory).squeeze(1)
        return self._normalized(read), torch.cat((memory.flatten(1), x), 1)

    def sequence(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs [T, B, H] and final state [B, S] for x [T, B, I] and initial state [B, S]."""
        memory, last_input = self._split(state)
        inputs = x.transpose(0, 1).contiguous()
        keys = self.key(torch.cat((last_input.unsqueeze(1), inputs[:, :-1]), 1))
        queries, values = self._queries(inputs), self._values(inputs)
        reads = []
        for k, q, v in zip(*(part.split(_CHUNK, 1) for part in (keys, queries, values)), strict=True):
            reads.append(q @ memory + (q @ k.mT).tril() @ v)
            memory = memory + k.mT @ v
        read = reads[0] if len(reads) == 1 else torch.cat(reads, 1)
        return self._normalized(read).transpose(0, 1), torch.cat((memory.flatten(1), x[-1]), 1)

    def _split(self, state: Tensor) -> tuple[Tensor, Tensor]:
        memory, last_input = state.split((KEYS * self.hidden_size, self.input_size), 1)
        return memory.unflatten(1, (KEYS, self.hidden_size)), last_input

    def _queries(self, x: Tensor) -> Tensor:
        return self.query(x) * KEYS**-0.5

    def _values(self, x: Tensor) -> Tensor:
        a, b = self.value(x).chunk(2, -1)
        return a * b

    def _normalized(self, read: Tensor) -> Tensor:
        return read / (1 + self.divisor(read).abs())
