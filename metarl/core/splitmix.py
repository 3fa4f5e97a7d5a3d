"""SplitMix64: the hash behind `CounterRNG`, in integer tensor operations that are equal on every processor.

Each part is mixed by the finaliser of SplitMix64 before the next is added (Steele, Lea and Flood 2014, "Fast splittable
pseudorandom number generators"). int64 tensors hold the 64 bits.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from metarl.errors import MetarlError

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


def bits(state: Tensor, salt: int, shape: tuple[int, ...]) -> Tensor:
    """Return int64 [B, *shape] of states [B]: 64 random bits for each element, different for each salt (signed)."""
    if shape == ():
        return mix(state + salt)
    elements = torch.arange(math.prod(shape), device=state.device).reshape(shape)
    start = (state + salt).reshape(-1, *(1 for _ in shape))
    return mix(torch.add(start, elements, alpha=_STEP))


def below(state: Tensor, salt: int, shape: tuple[int, ...], high: int | Tensor) -> Tensor:
    """Return int64 [B, *shape] in [0, high): the lowest 63 bits modulo high."""
    return (bits(state, salt, shape) & (2**63 - 1)) % high


def uniform(state: Tensor, salt: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Return float32 or float64 [B, *shape] in [0, 1): the highest 24 or 53 bits as a fraction."""
    digits = 24 if dtype == torch.float32 else 53
    return _shift_right(bits(state, salt, shape), 64 - digits).to(dtype) * 2.0**-digits


def _shift_right(z: Tensor, bits: int) -> Tensor:
    """Shift logically, into a new tensor. An int64 shift copies the sign bit, so it is masked off."""
    shift, mask = _SHIFTS[bits]
    return torch.bitwise_right_shift(z, shift).bitwise_and_(mask)
