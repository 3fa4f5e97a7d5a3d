"""The hash behind counted random numbers, and what is made of its bits.

The finaliser of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"), chained:
each part is mixed before the next is added. Integer operations only, so that CPU and GPU agree; int64 stands for the
64 bits. On CPU what is asked at each step is one compiled pass each (hash_loops.c), elsewhere torch operations: the
same bits.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from metarl import compiled
from metarl.errors import MetarlError

try:
    from metarl import hash_loops
except ImportError:  # installed where there was no C compiler
    hash_loops = None

COMPILED = hash_loops is not None

_GAMMA = 0x9E3779B97F4A7C15  # the odd integer nearest 2^64 / golden ratio: SplitMix64's increment
_ALL = 2**64 - 1


def signed(x: int) -> int:
    """The lowest 64 bits of x as the int64 that torch takes."""
    return ((x + 2**63) & _ALL) - 2**63


START = _STEP = signed(_GAMMA)  # a state before it has absorbed anything: not zero, which the hash maps to zero

# Numbers on the host that torch need not make tensors of at each call: a third of a hash of few numbers on CPU.
_FACTORS = torch.tensor(signed(0xBF58476D1CE4E5B9)), torch.tensor(signed(0x94D049BB133111EB))
_SHIFTS = {bits: (torch.tensor(bits), torch.tensor(2 ** (64 - bits) - 1)) for bits in (11, 27, 30, 31, 40)}


def mix(z: Tensor) -> Tensor:
    """SplitMix64's finaliser, a bijection of int64 in which each input bit flips each output bit half the time."""
    z = _right(z, 30).bitwise_xor_(z).mul_(_FACTORS[0])
    z = _right(z, 27).bitwise_xor_(z).mul_(_FACTORS[1])
    return _right(z, 31).bitwise_xor_(z)


def absorb(state: Tensor, part: int | Tensor, name: str) -> Tensor:
    """int64 like state [B]: states that also depend on `part`, one or [B]; small neighbouring parts lead far apart."""
    if not isinstance(part, Tensor):
        return mix(state + signed(part * _GAMMA))
    if part.dtype != torch.int64:
        raise MetarlError(f"{name} must be int64, got {part.dtype}; convert it with .long()")
    one = part.numel() == 1 and part.dim() < 2
    fit = _serve(state) and compiled.may_read(part) and _fits(part) and (one or part.shape == state.shape)
    if hash_loops is None or not fit:
        return mix(torch.add(state, part, alpha=_STEP))
    out = torch.empty_like(state)
    hash_loops.absorb(state.numel(), state.data_ptr(), part.data_ptr(), one, out.data_ptr())
    return out


def bits(state: Tensor, salt: int, shape: tuple[int, ...]) -> Tensor:
    """int64 [B, *shape] of state [B]: another 64 bits for each element, and for each salt (signed)."""
    if _serve(state):
        return _drawn("bits", torch.int64, state, salt, shape)
    if shape == ():
        return mix(state + salt)
    elements = torch.arange(math.prod(shape), device=state.device).reshape(shape)
    start = (state + salt).reshape(-1, *(1 for _ in shape))
    return mix(torch.add(start, elements, alpha=_STEP))


def below(state: Tensor, salt: int, shape: tuple[int, ...], high: int) -> Tensor:
    """int64 [B, *shape]: their lowest 63 bits modulo high, 1 <= high < 2^63."""
    if _serve(state):
        return _drawn("below", torch.int64, state, salt, shape, high)
    return (bits(state, salt, shape) & (2**63 - 1)) % high


def units(state: Tensor, salt: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """float32 or float64 [B, *shape] in [0, 1): their highest 24 or 53 bits as a fraction."""
    if _serve(state):
        return _drawn("floats" if dtype == torch.float32 else "doubles", dtype, state, salt, shape)
    return _fraction(bits(state, salt, shape), dtype)


def polar(state: Tensor, salt: int, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """float64 [B, *shape] twice: uniform in (0, 1], and in [0, 2 pi)."""
    if _serve(state):
        angle = state.new_empty((*state.shape, *shape), dtype=torch.float64)
        return _drawn("polar", torch.float64, state, salt, shape, angle.data_ptr()), angle
    u, v = _fraction(bits(state, salt, (2, *shape)), torch.float64).unbind(1)
    return 1.0 - u, v * (2.0 * math.pi)


def _drawn(name: str, dtype: torch.dtype, state: Tensor, salt: int, shape: tuple[int, ...], *more: int) -> Tensor:
    out = state.new_empty((*state.shape, *shape), dtype=dtype)
    getattr(hash_loops, name)(state.numel(), math.prod(shape), state.data_ptr(), salt, out.data_ptr(), *more)
    return out


def _serve(state: Tensor) -> bool:
    """Whether the compiled passes serve."""
    return hash_loops is not None and state.dim() == 1 and _fits(state) and compiled.may_read(state)


def _fits(given: Tensor) -> bool:
    return given.dtype == torch.int64 and given.is_contiguous()


def _fraction(z: Tensor, dtype: torch.dtype) -> Tensor:
    """The top 24 or 53 bits in [0, 1)."""
    digits = 24 if dtype == torch.float32 else 53
    return _right(z, 64 - digits).to(dtype) * 2.0**-digits


def _right(z: Tensor, bits: int) -> Tensor:
    """Logical shift into a new tensor: int64 shifts carry the sign along, so mask it off."""
    shift, mask = _SHIFTS[bits]
    return torch.bitwise_right_shift(z, shift).bitwise_and_(mask)
