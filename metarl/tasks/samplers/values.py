"""Checking, rounding and converting the numbers that samplers hold."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from metarl.errors import MetarlError
from metarl.tasks.parameter import as_numbers


class Checked(Protocol):
    """A sampler, as far as error messages need it."""

    def wrong(self, why: str) -> MetarlError:
        """Return the error for a mistake in this sampler."""
        ...


def finite_numbers(sampler: Checked, name: str, value: ArrayLike, integer: bool | None = False) -> np.ndarray:
    """Return `value` as a finite array: float64, int64 if `integer`, or the type it has if `integer` is None."""
    given = as_numbers(f"{type(sampler).__name__}, {name}", value)
    if not np.isfinite(given).all():
        raise sampler.wrong(f"{name} must be finite, got {given.tolist()}")
    if given.dtype.kind == "u" and (given > np.uint64(2**63 - 1)).any():
        raise sampler.wrong(f"{name} must fit in 64 signed bits, got {given.tolist()}")
    if integer and given.dtype.kind == "f":
        raise sampler.wrong(f"{name} must be an integer, got {given.tolist()}")
    whole = integer or (integer is None and given.dtype.kind in "biu")
    return given.astype(np.int64 if whole else np.float64)


def one_number(sampler: Checked, name: str, value: ArrayLike) -> float:
    """Return `value` as a finite float."""
    given = finite_numbers(sampler, name, value)
    if given.ndim:
        raise sampler.wrong(f"{name} must be one number, got {given.tolist()}")
    return float(given)


def as_shape(sampler: Checked, shape: Any) -> tuple[int, ...]:
    """Return `shape` as a tuple of ints. An int is the length of a vector."""
    axes = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    if not all(isinstance(k, int | np.integer) and k >= 1 for k in axes):
        raise sampler.wrong(f"shape must be a tuple of integers of at least 1, e.g. (3,); got {shape!r}")
    return tuple(int(k) for k in axes)


def common_shape(sampler: Checked, shape: Any, *arrays: np.ndarray) -> tuple[int, ...]:
    """Return the sampler's shape: `shape` if it is not empty, else the shape of the arrays.

    Raises MetarlError if the arrays do not broadcast to it.
    """
    given = as_shape(sampler, shape)
    shapes = [a.shape for a in arrays]
    try:
        full = np.broadcast_shapes(given, *shapes)
    except ValueError:
        full = None
    if full is None or (given and full != given):
        raise sampler.wrong(
            f"values of shapes {shapes} do not fit shape {given}; give numbers, or arrays of that shape"
        )
    return full


def round_to_float32(values: np.ndarray, low: ArrayLike = -np.inf, high: ArrayLike = np.inf) -> np.ndarray:
    """Return values [n, ...] rounded to the 24 significant bits of float32, within [low, high]; float64, any exponent.

    The last digit of exp, log, sin and cos depends on the processor's instruction set and on the C library. A task's
    hash and its split depend on every digit. After rounding, tasks are the same on every machine. A value is unchanged
    if no rounded value lies in its interval.
    """
    significand, exponent = np.frexp(values)
    digits = np.rint(np.ldexp(significand, 24))
    with np.errstate(over="ignore"):
        rounded = np.ldexp(digits, exponent - 24)
        digits = digits + (rounded < low) - (rounded > high)  # the neighbour of one that lies outside
        rounded = np.ldexp(digits, exponent - 24)
    return np.where((rounded >= low) & (rounded <= high), rounded, values)


def fill(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return a number or nested tuples as an array of this shape."""
    return np.broadcast_to(np.asarray(value), shape)


def to_tuples(array: np.ndarray) -> Any:
    """Return an array as nested tuples of Python numbers, which samplers hold because tuples compare and hash."""
    return tuple(to_tuples(row) for row in array) if array.ndim else array.item()


def to_lists(value: Any) -> Any:
    """Return nested tuples as nested lists, for JSON."""
    return [to_lists(item) for item in value] if isinstance(value, tuple) else value


def short_text(value: Any) -> str:
    """Return a field's value for display: few digits, tuples without a trailing comma."""
    if isinstance(value, tuple):
        return "(" + ", ".join(map(short_text, value)) + ")"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
