"""Random numbers that are counted, not kept: each is a pure function of (seed, key, episode, step, purpose, element).

Integer tensor operations only, so CPU and GPU agree, nothing depends on who else is in the batch, there is no state to
save, and a step may be captured in a CUDA graph. The hash is the finaliser of SplitMix64 (Steele, Lea and Flood 2014,
"Fast splittable pseudorandom number generators"), chained: each part is mixed before the next is added.

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

from metarl.errors import MetarlError

_GAMMA = 0x9E3779B97F4A7C15  # the odd integer nearest 2^64 / golden ratio: SplitMix64's increment
_ALL = 2**64 - 1


def _signed(x: int) -> int:
    """The 64 bits of x as the int64 that torch takes."""
    return ((x + 2**63) & _ALL) - 2**63


_STEP, _MULTIPLY_1, _MULTIPLY_2 = _signed(_GAMMA), _signed(0xBF58476D1CE4E5B9), _signed(0x94D049BB133111EB)
_START = _STEP  # not zero, which the hash maps to zero


# Numbers on the host that torch need not make tensors of at each call: a third of a hash of few numbers on CPU.
_FACTORS = torch.tensor(_MULTIPLY_1), torch.tensor(_MULTIPLY_2)
_SHIFTS = {bits: (torch.tensor(bits), torch.tensor(2 ** (64 - bits) - 1)) for bits in (11, 27, 30, 31, 40)}


def mix(z: Tensor) -> Tensor:
    """SplitMix64's finaliser, a bijection of int64 in which each input bit flips each output bit half the time."""
    z = _right(z, 30).bitwise_xor_(z).mul_(_FACTORS[0])
    z = _right(z, 27).bitwise_xor_(z).mul_(_FACTORS[1])
    return _right(z, 31).bitwise_xor_(z)


def _right(z: Tensor, bits: int) -> Tensor:
    """Logical shift into a new tensor: int64 shifts carry the sign along, so mask it off."""
    shift, mask = _SHIFTS[bits]
    return torch.bitwise_right_shift(z, shift).bitwise_and_(mask)


def _absorb(state: Tensor, part: int | Tensor, name: str) -> Tensor:
    """A state that also depends on `part`; small neighbouring parts lead far apart."""
    if not isinstance(part, Tensor):
        return mix(state + _signed(part * _GAMMA))
    if part.dtype != torch.int64:
        raise MetarlError(f"{name} must be int64, got {part.dtype}; convert it with .long()")
    return mix(torch.add(state, part, alpha=_STEP))


def stream(seed: int | Tensor, key: Tensor) -> Tensor:
    """int64 [B]: what tells one environment's numbers from another's.

    seed: 0 <= seed < 2^63, or one per environment, int64 [B]. key: int64 [B], the environments' own numbers.
    """
    if not isinstance(seed, Tensor):
        seed = check_seed(seed)
    start = torch.full_like(key, _START, dtype=torch.int64)
    return _absorb(_absorb(start, seed, "seed"), key, "key")


class Counted:
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
            self._state = _absorb(_absorb(self.streams, self.episode, "episode"), self.step, "step")
        return self._state

    def rows(self, rows: Tensor) -> Counted:
        """The numbers of some of the environments, rows int64 [k]: those that they have among all."""
        episode, step = (x[rows] if isinstance(x, Tensor) and x.dim() else x for x in (self.episode, self.step))
        return Counted(self.streams[rows], episode, step)

    def bits(self, purpose: int | str, shape: tuple[int, ...] = ()) -> Tensor:
        """int64 [B, *shape], all 64 bits random."""
        salt = _salt(purpose)
        if shape == ():
            return mix(self.state + salt)
        elements = torch.arange(math.prod(shape), device=self.state.device).reshape(shape)
        start = (self.state + salt).reshape(-1, *(1 for _ in shape))
        return mix(torch.add(start, elements, alpha=_STEP))

    def uniform(self, purpose: int | str, shape: tuple[int, ...] = (), dtype: torch.dtype = torch.float32) -> Tensor:
        """[B, *shape] in [0, 1): multiples of 2^-24 (float32) or 2^-53 (float64), exact on every device."""
        return _unit(self.bits(purpose, shape), dtype)

    def normal(self, purpose: int | str, shape: tuple[int, ...] = (), dtype: torch.dtype = torch.float32) -> Tensor:
        """[B, *shape], standard normal and finite (at most 8.6), by Box and Muller (1958).

        Computed in float64 whatever the dtype, so that devices, which differ in the last bit of log and cos, agree to
        the rounding of float32.
        """
        u, v = _unit(self.bits(purpose, (2, *shape)), torch.float64).unbind(1)
        radius = ((1.0 - u).log() * -2.0).sqrt()  # 1 - u is in (0, 1]: never log(0)
        return (radius * (v * (2.0 * math.pi)).cos()).to(dtype)

    def integers(self, purpose: int | str, high: int | Tensor, shape: tuple[int, ...] = ()) -> Tensor:
        """int64 [B, *shape] in [0, high), even to within high / 2^63. high: an int >= 1, or int64 that broadcasts."""
        if not isinstance(high, Tensor) and not 1 <= high < 2**63:
            raise MetarlError(f"integers in [0, high) need 1 <= high < 2**63, got {high}")
        return (self.bits(purpose, shape) & (2**63 - 1)) % high


def _unit(bits: Tensor, dtype: torch.dtype) -> Tensor:
    """The top 24 or 53 bits as a fraction in [0, 1)."""
    digits = {torch.float32: 24, torch.float64: 53}.get(dtype)
    if digits is None:
        raise MetarlError(f"random numbers come as torch.float32 or torch.float64, not {dtype}; convert them after")
    return _right(bits, 64 - digits).to(dtype) * 2.0**-digits


@functools.cache
def _salt(purpose: int | str) -> int:
    return _signed(_digest("purpose", purpose))


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
