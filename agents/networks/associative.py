"""An associative memory over whole trials: what came of what was seen before, found again by what is seen now."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

KEYS = 16  # numbers of a key; so many different keys can be told apart without crosstalk
_CHUNK = 128  # steps that are compared with one another at once: the cost of a step grows with it


class Associative(nn.Module):
    r"""A memory matrix M that each step adds to and is then read (fast weights: Schmidhuber 1992, Ba et al. 2016).

    Of inputs $x_t$: $M_t = M_{t-1} + k_t v_t^\top$ is read as $r_t = q_t^\top M_t / \sqrt K$, where the key
    $k_t = W_k x_{t-1} + b_k$ is of the step before, the query $q_t = W_q x_t + b_q$ and the value
    $v_t = (A x_t + a) \odot (C x_t + c)$ of this one. As an input holds an observation and the action and reward that
    led to it, a value can be that action times that reward, kept under the observation in which it was taken. What is
    read are sums; the output is $r_t / (1 + |D r_t + d|)$, so that a sum of rewards over how many there were, a mean,
    is one step away. Products and quotients are what a gated network would have to learn first. Nothing is forgotten.

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
        """[B, S] of zeros, by default where the parameters are."""
        return self.key.weight.new_zeros(num_envs, self.state_size, device=device)

    def stepper(self, in_place: bool = False) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """`step`, which has nothing to prepare."""
        return self.step

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One step of x [B, I] from state [B, S]: output [B, H] and next state [B, S]."""
        memory, before = self._parts(state)
        memory = memory + self.key(before).unsqueeze(2) * self._valued(x).unsqueeze(1)
        read = (self._queried(x).unsqueeze(1) @ memory).squeeze(1)
        return self._divided(read), torch.cat((memory.flatten(1), x), 1)

    def sequence(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """All steps of x [T, B, I] from state [B, S]: outputs [T, B, H], final state [B, S]."""
        memory, before = self._parts(state)
        inputs = x.transpose(0, 1).contiguous()
        keys = self.key(torch.cat((before.unsqueeze(1), inputs[:, :-1]), 1))
        queries, values = self._queried(inputs), self._valued(inputs)
        reads = []
        for k, q, v in zip(*(part.split(_CHUNK, 1) for part in (keys, queries, values)), strict=True):
            reads.append(q @ memory + (q @ k.mT).tril() @ v)
            memory = memory + k.mT @ v
        read = reads[0] if len(reads) == 1 else torch.cat(reads, 1)
        return self._divided(read).transpose(0, 1), torch.cat((memory.flatten(1), x[-1]), 1)

    def _parts(self, state: Tensor) -> tuple[Tensor, Tensor]:
        memory, before = state.split((KEYS * self.hidden_size, self.input_size), 1)
        return memory.unflatten(1, (KEYS, self.hidden_size)), before

    def _queried(self, x: Tensor) -> Tensor:
        return self.query(x) * KEYS**-0.5

    def _valued(self, x: Tensor) -> Tensor:
        a, b = self.value(x).chunk(2, -1)
        return a * b

    def _divided(self, read: Tensor) -> Tensor:
        return read / (1 + self.divisor(read).abs())
