"""Counter-based random numbers: each is a pure function of (seed, key, episode, step, purpose, element).

CPU and GPU agree, no number depends on the other environments of the batch, there is no state to save, and a step can
be captured in a CUDA graph. The hash is in splitmix.py.

    streams = stream(seed, keys)                       # [B], once for an environment
    draw = CounterRNG(streams, episode, step)          # [B], once a step
    noise = draw.normal("reward noise")                # [B], as often as needed; another purpose, another number
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
    """Return the random streams of B environments, int64 [B].

    seed: 0 <= seed < 2^63, or one per environment, int64 [B]. key: int64 [B], a number for each environment.
    """
    if not isinstance(seed, Tensor):
        seed = check_seed(seed)
    start = torch.full_like(key, splitmix.START, dtype=torch.int64)
    return splitmix.absorb(splitmix.absorb(start, seed, "seed"), key, "key")


class CounterRNG:
    """The random numbers of B environments in one step. The same purpose gives the same numbers.

    streams: int64 [B], from `stream`; episode, step: ints, or int64 tensors [B] or []. Nothing is computed until used.
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
        """Return the random numbers of some of the environments, rows int64 [k]."""
        episode, step = (x[rows] if isinstance(x, Tensor) and x.dim() else x for x in (self.episode, self.step))
        return CounterRNG(self.streams[rows], episode, step)

    def bits(self, purpose: int | str, shape: tuple[int, ...] = ()) -> Tensor:
        """Return int64 [B, *shape] with 64 random bits."""
        return splitmix.bits(self.state, _salt(purpose), shape)

    def uniform(self, purpose: int | str, shape: tuple[int, ...] = (), dtype: torch.dtype = torch.float32) -> Tensor:
        """Return [B, *shape] in [0, 1): multiples of 2^-24 (float32) or 2^-53 (float64), exact on every device."""
        return splitmix.uniform(self.state, _salt(purpose), shape, _floating(dtype))

    def normal(self, purpose: int | str, shape: tuple[int, ...] = (), dtype: torch.dtype = torch.float32) -> Tensor:
        """Return [B, *shape], standard normal and finite (at most 8.6), by Box and Muller (1958).

        Computed in float64, because devices differ in the last bit of log and cos: they agree after rounding to float32.
        """
        u, v = splitmix.uniform(self.state, _salt(purpose), (2, *shape), torch.float64).unbind(1)
        radius = (1.0 - u).log_().mul_(-2.0).sqrt_()
        return radius.mul_((v * (2.0 * math.pi)).cos_()).to(_floating(dtype))

    def integers(self, purpose: int | str, high: int | Tensor, shape: tuple[int, ...] = ()) -> Tensor:
        """Return int64 [B, *shape] in [0, high), uniform to within high / 2^63. high: an int >= 1, or int64 that broadcasts."""
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
    """Return 64 bits of BLAKE2b over the parts; equal in every process, and 1 is not "1"."""
    plain = [part if isinstance(part, str) else operator.index(part) for part in parts]
    return int.from_bytes(hashlib.blake2b(json.dumps(plain).encode(), digest_size=8).digest(), "little")


def check_seed(seed: int) -> int:
    """Return the seed as an int; MetarlError unless 0 <= seed < 2^63."""
    try:
        number = operator.index(seed)
    except TypeError:
        raise MetarlError(f"a seed is an integer, got {seed!r}") from None
    if not 0 <= number < 2**63:
        raise MetarlError(f"a seed lies in 0 <= seed < 2**63, got {number}")
    return number


def derive_seed(*parts: int | str) -> int:
    """Return a seed in [0, 2^63) for one purpose, e.g. derive_seed(seed, "minibatches"): a stable hash of the parts."""
    return _digest("seed", *parts) >> 1


def generator(*parts: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a new torch generator for one purpose, seeded by `derive_seed(*parts)`."""
    return torch.Generator(device).manual_seed(derive_seed(*parts))


def numpy_generator(*parts: int | str) -> np.random.Generator:
    """Return a new NumPy generator for one purpose, seeded by `derive_seed(*parts)`."""
    return np.random.default_rng(derive_seed(*parts))
