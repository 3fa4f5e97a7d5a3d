"""Named parameters of tasks, with shape, unit and bounds, as worlds, goals and perturbations declare them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metarl.errors import MetarlError


@dataclass(frozen=True, eq=False)
class Parameter:
    """A named parameter of a task. Bounds are closed unless `low_open` or `high_open`, and hold for every element.

    The constructor raises MetarlError if no value lies within the bounds or the neutral value lies outside of them.
    """

    name: str
    shape: tuple[int, ...] = ()
    """shape of one task's value: () for a number"""
    unit: str = ""
    """SI unit, for display, e.g. "m/s"; "" for a pure number"""
    low: float = -math.inf
    high: float = math.inf
    neutral: ArrayLike = 0.0
    """the value that changes nothing; a number or an array, kept as a read-only array [*shape]"""
    integer: bool = False
    """int64 instead of float64"""
    doc: str = ""
    low_open: bool = False
    """exclude `low` itself, e.g. for a mass: low=0, low_open=True"""
    high_open: bool = False
    """exclude `high` itself"""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise MetarlError(f"a parameter needs a name, a non-empty string; got {self.name!r}")
        low, high = float(self.low), float(self.high)
        if not (low <= high) or (low == high and (self.low_open or self.high_open)) or low == math.inf:
            raise MetarlError(f"parameter {self.name!r}: no value lies in {self.interval}; make low less than high")
        shape = tuple(int(k) for k in self.shape)
        if any(k < 1 for k in shape):
            raise MetarlError(
                f"parameter {self.name!r}: every axis of shape {shape} must be at least 1; () is a number"
            )
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        try:
            neutral = np.broadcast_to(np.asarray(self.neutral), self.shape)
            neutral = self.check(neutral[None])[0]
        except ValueError as error:
            raise MetarlError(f"parameter {self.name!r}: pass a neutral value that fits: {error}") from None
        neutral = np.asarray(neutral)
        neutral.flags.writeable = False
        object.__setattr__(self, "neutral", neutral)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.int64 if self.integer else np.float64)

    @property
    def interval(self) -> str:
        """The bounds in mathematical notation, e.g. "(0, inf) kg"."""
        left = "(" if self.low_open or self.low == -math.inf else "["
        right = ")" if self.high_open or self.high == math.inf else "]"
        return f"{left}{self.low:g}, {self.high:g}{right}{self._unit}"

    @property
    def closed_bounds(self) -> tuple[float, float]:
        """The smallest and the largest float64 value within the bounds."""
        low = math.nextafter(self.low, math.inf) if self.low_open else self.low
        high = math.nextafter(self.high, -math.inf) if self.high_open else self.high
        return low, high

    @property
    def _unit(self) -> str:
        return f" {self.unit}" if self.unit else ""

    def check(self, values: ArrayLike, copy: bool = True) -> np.ndarray:
        """Return a checked copy of `values` [n, *shape]: C-contiguous, float64, or int64 for an integer parameter.

        With copy=False, values that already have this form are returned themselves. The caller must not change them.

        Raises MetarlError for a wrong shape, for anything but numbers, for NaN and infinities, for fractions in an
        integer parameter, and for values out of bounds. Nothing is clipped or rounded.
        """
        given = as_numbers(f"parameter {self.name!r}", values)
        if given.ndim == 0 or given.shape[1:] != self.shape:
            expected = "[n" + "".join(f", {k}" for k in self.shape) + "]"
            raise MetarlError(
                f"parameter {self.name!r} must have shape {expected}, one row per task; got {list(given.shape)}. "
                "Reshape the values"
            )
        self._refuse(given, ~np.isfinite(given), "is not a finite number; give one in")
        if self.integer and given.dtype.kind == "f":
            whole = (given == np.floor(given)) & (np.abs(given) < 2.0**63)
            self._refuse(given, ~whole, "is not an integer of 64 bits; give one in")
        if given.dtype.kind == "u" and self.integer:
            self._refuse(given, given > np.uint64(2**63 - 1), "is not an integer of 64 bits; give one in")
        out = np.array(given, dtype=self.dtype, order="C", copy=copy or None)
        self._refuse(out, out <= self.low if self.low_open else out < self.low, "is too low; it must lie in")
        self._refuse(out, out >= self.high if self.high_open else out > self.high, "is too high; it must lie in")
        return out

    def _refuse(self, values: np.ndarray, bad: np.ndarray, why: str) -> None:
        if bad.any():
            row, *rest = (int(i) for i in np.argwhere(bad)[0])
            place = f" element {rest}" if rest else ""
            value = values[(row, *rest)].item()
            raise MetarlError(
                f"parameter {self.name!r}, task {row}{place}: {value!r}{self._unit} {why} {self.interval}"
            )

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON. An infinite bound is None, because JSON has no infinity."""
        out = {f.name: getattr(self, f.name) for f in fields(self)}
        neutral = np.asarray(self.neutral)
        return out | {
            "shape": list(self.shape),
            "low": None if self.low == -math.inf else self.low,
            "high": None if self.high == math.inf else self.high,
            "neutral": neutral.tolist(),
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> Parameter:
        """Return the parameter that `to_json` wrote."""
        low, high = data.get("low"), data.get("high")
        bounds = {"low": -math.inf if low is None else low, "high": math.inf if high is None else high}
        values: dict[str, Any] = data | bounds
        return Parameter(**values)

    def _key(self) -> tuple[Any, ...]:
        neutral = np.asarray(self.neutral)
        others = (getattr(self, f.name) for f in fields(self) if f.name != "neutral")
        return (*others, neutral.tobytes())

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Parameter) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())


def as_numbers(what: str, values: ArrayLike) -> np.ndarray:
    """Return `values` as an array of booleans, integers or floats. Raise MetarlError, naming `what`, otherwise."""
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise MetarlError(f"{what}: give one rectangular array of numbers, on the CPU ({error})") from None
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise MetarlError(f"{what}: give numbers (64 bits at most); got an array of {array.dtype}")
    return array
