"""Counter-based random numbers: each is a pure function of (seed, key, episode, step, purpose, element).

CPU and GPU agree, no number depends on the other environments of the batch, there is no state to save, and a step can
be captured in a CUDA graph. The hash is SplitMix64, below.

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

from metarl.errors import MetarlError


def stream(seed: int | Tensor, key: Tensor) -> Tensor:
    """Return the random streams of B environments, int64 [B].

    seed: 0 <= seed < 2^63, or one per environment, int64 [B]. key: int64 [B], a number for each environment.
    """
    if not isinstance(seed, Tensor):
        seed = check_seed(seed)
    start = torch.full_like(key, START, dtype=torch.int64)
    return absorb(absorb(start, seed, "seed"), key, "key")


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
            self._state = absorb(absorb(self.streams, self.episode, "episode"), self.step, "step")
        return self._state

    def rows(self, rows: Tensor) -> CounterRNG:
        """Return the random numbers of some of the environments, rows int64 [k]."""
        episode, step = (x[rows] if isinstance(x, Tensor) and x.dim() else x for x in (self.episode, self.step))
        return CounterRNG(self.streams[rows], episode, step)

    def bits(self, purpose: int | str, shape: tuple[int, ...] = ()) -> Tensor:
        """Return int64 [B, *shape] with 64 random bits."""
        return random_bits(self.state, _salt(purpose), shape)

    def uniform(self, purpose: int | str, shape: tuple[int, ...] = (), dtype: torch.dtype = torch.float32) -> Tensor:
        """Return [B, *shape] in [0, 1): multiples of 2^-24 (float32) or 2^-53 (float64), exact on every device."""
        return random_uniform(self.state, _salt(purpose), shape, _floating(dtype))

    def normal(self, purpose: int | str, shape: tuple[int, ...] = (), dtype: torch.dtype = torch.float32) -> Tensor:
        """Return [B, *shape], standard normal and finite (at most 8.6), by Box and Muller (1958).

        Computed in float64: devices differ in the last bit of log and cos, and agree after rounding to float32.
        """
        u, v = random_uniform(self.state, _salt(purpose), (2, *shape), torch.float64).unbind(1)
        radius = (1.0 - u).log_().mul_(-2.0).sqrt_()
        return radius.mul_((v * (2.0 * math.pi)).cos_()).to(_floating(dtype))

    def integers(self, purpose: int | str, high: int | Tensor, shape: tuple[int, ...] = ()) -> Tensor:
        """Return int64 [B, *shape] in [0, high), uniform to within high / 2^63.

        high is an int >= 1, or an int64 tensor that broadcasts.
        """
        if not isinstance(high, Tensor) and not 1 <= high < 2**63:
            raise MetarlError(f"integers in [0, high) need 1 <= high < 2**63, got {high}")
        high = high if isinstance(high, Tensor) else operator.index(high)
        return random_below(self.state, _salt(purpose), shape, high)


# SplitMix64 ----------------------------------------------------------------------------------------------------------
# The finaliser of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"), chained:
# each part is mixed before the next is added. Only integer tensor operations are used, so that all processors agree;
# int64 tensors hold the 64 bits.

_GAMMA = 0x9E3779B97F4A7C15  # the odd integer nearest 2^64 / golden ratio: SplitMix64's increment
_ALL = 2**64 - 1


def signed(x: int) -> int:
    """Return the lowest 64 bits of x as the int64 that torch takes."""
    return ((x + 2**63) & _ALL) - 2**63


START = _STEP = signed(_GAMMA)  # the state before any part is absorbed; not zero, which the hash maps to zero

# Tensors, because torch would make a tensor of each Python number at each call: a third of a small hash on CPU.
_FACTORS = torch.tensor(signed(0xBF58476D1CE4E5B9)), torch.tensor(signed(0x94D049BB133111EB))
_SHIFTS = {bits: (torch.tensor(bits), torch.tensor(2 ** (64 - bits) - 1)) for bits in (11, 27, 30, 31, 40)}


def mix(z: Tensor) -> Tensor:
    """Apply SplitMix64's finaliser, a bijection of int64: each input bit flips each output bit half the time."""
    z = _shift_right(z, 30).bitwise_xor_(z).mul_(_FACTORS[0])
    z = _shift_right(z, 27).bitwise_xor_(z).mul_(_FACTORS[1])
    return _shift_right(z, 31).bitwise_xor_(z)


def absorb(state: Tensor, part: int | Tensor, name: str) -> Tensor:
    """Return states int64 [B] that also depend on `part`, an int or int64 that broadcasts to [B]."""
    if not isinstance(part, Tensor):
        return mix(state + signed(part * _GAMMA))
    if part.dtype != torch.int64:
        raise MetarlError(f"{name} must be int64, got {part.dtype}; convert it with .long()")
    return mix(torch.add(state, part, alpha=_STEP))


def random_bits(state: Tensor, salt: int, shape: tuple[int, ...]) -> Tensor:
    """Return int64 [B, *shape] of states [B]: 64 random bits for each element, different for each salt (signed)."""
    if shape == ():
        return mix(state + salt)
    elements = torch.arange(math.prod(shape), device=state.device).reshape(shape)
    start = (state + salt).reshape(-1, *(1 for _ in shape))
    return mix(torch.add(start, elements, alpha=_STEP))


def random_below(state: Tensor, salt: int, shape: tuple[int, ...], high: int | Tensor) -> Tensor:
    """Return int64 [B, *shape] in [0, high): the lowest 63 bits modulo high."""
    return (random_bits(state, salt, shape) & (2**63 - 1)) % high


def random_uniform(state: Tensor, salt: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Return float32 or float64 [B, *shape] in [0, 1): the highest 24 or 53 bits as a fraction."""
    digits = 24 if dtype == torch.float32 else 53
    return _shift_right(random_bits(state, salt, shape), 64 - digits).to(dtype) * 2.0**-digits


def _shift_right(z: Tensor, bits: int) -> Tensor:
    """Shift logically, into a new tensor. An int64 shift copies the sign bit, so it is masked off."""
    shift, mask = _SHIFTS[bits]
    return torch.bitwise_right_shift(z, shift).bitwise_and_(mask)


# Seeds of torch's and NumPy's generators, and salts ------------------------------------------------------------------


def _floating(dtype: torch.dtype) -> torch.dtype:
    if dtype not in (torch.float32, torch.float64):
        raise MetarlError(f"random numbers come as torch.float32 or torch.float64, not {dtype}; convert them after")
    return dtype


@functools.cache
def _salt(purpose: int | str) -> int:
    return signed(_digest("purpose", purpose))


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
