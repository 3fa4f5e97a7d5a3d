"""Random numbers that are counted, not kept: each is a pure function of (seed, key, episode, step, purpose, element).

CPU and GPU agree, nothing depends on who else is in the batch, there is no state to save, and a step may be captured in
a CUDA graph. The hash: hashing.py.

    streams = stream(seed, keys)                       # [B], once for an environment
    draw = Counted(streams, episode, step)             # [B], once a step
    noise = draw.normal("reward noise")                # [B], as often as wanted; another purpose, another number
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import operator

import numpy as np
import torch
from torch import Tensor

from metarl.core import splitmix
from metarl.errors import MetarlError


def stream(seed: int | Tensor, key: Tensor) -> Tensor:
    """int64 [B]: what tells one environment's numbers from another's.

    seed: 0 <= seed < 2^63, or one per environment, int64 [B]. key: int64 [B], the environments' own numbers.
    """
    if not isinstance(seed, Tensor):
        seed = check_seed(seed)
    start = torch.full_like(key, splitmix.START, dtype=torch.int64)
    return splitmix.absorb(splitmix.absorb(start, seed, "seed"), key, "key")


class CounterRNG:
    """The random numbers of B environments in one step. Ask with a purpose; the same purpose gives the same numbers.

    streams: int64 [B], from `stream`; episode, step: ints, or int64 tensors [B] or []. Costs nothing until asked.
    """

    __slots__ = ("_state", "episode", "step", "streams")

    def __init__(self, streams: Tensor, episode: int | Tensor, step: int | Tensor) -> None:
        self.streams, self.episode, self.step = streams, episode, step
        self._state: Tensor | None = None

    @property
    def state(self) -> Tensor:
        """int64 [B]: the hash of stream, episode and step."""
        if self._state is None:
            self._state = splitmix.absorb(splitmix.absorb(self.streams, self.episode, "episode"), self.step, "step")
        return self._state

    def rows(self, rows: Tensor) -> CounterRNG:
        """The numbers of some of the environments, rows int64 [k]: those that they have among all."""
        episode, step = (x[rows] if isinstance(x, Tensor) and x.dim() else x for x in (self.episode, self.step))
        return CounterRNG(self.streams[rows], episode, step)

    def bits(self, purpose: int | str, shape: tuple[int, ...] = ()) -> Tensor:
        """int64 [B, *shape], all 64 bits random."""
        return splitmix.bits(self.state, _salt(purpose), shape)

    def uniform(self, purpose: int | str, shape: tuple[int, ...] = (), dtype: torch.dtype = torch.float32) -> Tensor:
        """[B, *shape] in [0, 1): multiples of 2^-24 (float32) or 2^-53 (float64), exact on every device."""
        return splitmix.uniform(self.state, _salt(purpose), shape, _floating(dtype))

    def normal(self, purpose: int | str, shape: tuple[int, ...] = (), dtype: torch.dtype = torch.float32) -> Tensor:
        """[B, *shape], standard normal and finite (at most 8.6), by Box and Muller (1958).

        Computed in float64 whatever the dtype, so that devices, which differ in the last bit of log and cos, agree to
        the rounding of float32.
        """
        u, v = splitmix.uniform(self.state, _salt(purpose), (2, *shape), torch.float64).unbind(1)
        radius = (1.0 - u).log_().mul_(-2.0).sqrt_()
        return radius.mul_((v * (2.0 * math.pi)).cos_()).to(_floating(dtype))

    def integers(self, purpose: int | str, high: int | Tensor, shape: tuple[int, ...] = ()) -> Tensor:
        """int64 [B, *shape] in [0, high), even to within high / 2^63. high: an int >= 1, or int64 that broadcasts."""
        if not isinstance(high, Tensor) and not 1 <= high < 2**63:
            raise MetarlError(f"integers in [0, high) need 1 <= high < 2**63, got {high}")
        high = high if isinstance(high, Tensor) else operator.index(high)
        return splitmix.below(self.state, _salt(purpose), shape, high)


def _floating(dtype: torch.dtype) -> torch.dtype:
    if dtype not in (torch.float32, torch.float64):
        raise MetarlError(f"random numbers come as torch.float32 or torch.float64, not {dtype}; convert them after")
    return dtype


@functools.cache
def _salt(purpose: int | str) -> int:
    return splitmix.signed(_digest("purpose", purpose))


def _digest(*parts: int | str) -> int:
    """64 bits of BLAKE2b over the parts; the same in every process, and 1 is not "1"."""
    plain = [part if isinstance(part, str) else operator.index(part) for part in parts]
    return int.from_bytes(hashlib.blake2b(json.dumps(plain).encode(), digest_size=8).digest(), "little")


def check_seed(seed: int) -> int:
    """The seed as an int; MetarlError unless 0 <= seed < 2^63."""
    try:
        number = operator.index(seed)
    except TypeError:
        raise MetarlError(f"a seed is an integer, got {seed!r}") from None
    if not 0 <= number < 2**63:
        raise MetarlError(f"a seed lies in 0 <= seed < 2**63, got {number}")
    return number


def derive_seed(*parts: int | str) -> int:
    """A seed in [0, 2^63) for one purpose, e.g. derive_seed(seed, "minibatches"): a stable hash of the parts."""
    return _digest("seed", *parts) >> 1


def generator(*parts: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A new torch generator for one purpose, seeded by `derive_seed(*parts)`."""
    return torch.Generator(device).manual_seed(derive_seed(*parts))


def numpy_generator(*parts: int | str) -> np.random.Generator:
    """A new NumPy generator for one purpose, seeded by `derive_seed(*parts)`."""
    return np.random.default_rng(derive_seed(*parts))
