"""What a law is: how one parameter of a task is drawn, which values it can take, and how it reads as data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from metarl.errors import MetarlError, unknown
from metarl.parameters import as_numbers

if TYPE_CHECKING:
    from metarl.laws.mixtures import Union

MOST_LISTED = 2**20
"""A finite support larger than this is not listed by `Law.finite`."""


class Law(ABC):
    """How the values of one parameter are drawn. Laws are frozen dataclasses; `a | b` is their equal mixture."""

    shape: tuple[int, ...]
    """shape of one value"""
    integer: bool = False
    """whether values are int64 rather than float64"""
    portable: bool = False
    """whether `sample` gives the same bits on every machine: it uses arithmetic alone, or rounds by `round_to_float32`"""
    kinds: ClassVar[dict[str, type[Law]]] = {}
    """name -> class of every law there is, a user's own included: what `law_from_json` knows"""

    def __init_subclass__(cls) -> None:
        if cls.__name__.startswith("_"):
            return
        other = Law.kinds.setdefault(cls.__name__, cls)
        if other.__module__ != cls.__module__:
            raise MetarlError(f"there is a law named {cls.__name__!r}, in {other.__module__}; choose another name")
        Law.kinds[cls.__name__] = cls  # the newest, where a module was loaded again

    @abstractmethod
    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """n values drawn independently: [n, *shape], float64 or int64."""

    @abstractmethod
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The smallest box around the support: (low, high), each [*shape]."""

    @abstractmethod
    def _inside(self, x: np.ndarray) -> np.ndarray:
        """Per element [n, *shape], or already per value [n]: whether x lies in the support."""

    def contains(self, values: ArrayLike) -> np.ndarray:
        """bool [n]: which of the values [n, *shape] lie in the support. MetarlError on a wrong shape."""
        x = as_numbers(type(self).__name__, values)
        if x.ndim == 0 or x.shape[1:] != self.shape:
            want = "[n" + "".join(f", {k}" for k in self.shape) + "]"
            raise self.wrong(f"contains() wants values of shape {want}; got {list(x.shape)}")
        inside = np.asarray(self._inside(x))
        return np.asarray(inside.all(axis=tuple(range(1, inside.ndim))))

    def finite(self) -> np.ndarray | None:
        """All values in a fixed order, [k, *shape], if equally likely and no more than MOST_LISTED; else None."""
        return None

    def __str__(self) -> str:
        """The law as a user would write it, shape left out."""
        own = [getattr(self, f.name) for f in fields(self) if f.init and f.name != "shape"]  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(map(_short, own))})"

    def to_json(self) -> dict[str, Any]:
        """Plain values: {"law": the class's name, and its fields}. `law_from_json` reads it back."""
        own = {f.name: to_lists(getattr(self, f.name)) for f in fields(self) if f.init}  # type: ignore[arg-type]
        return {"law": type(self).__name__} | own

    @classmethod
    def _from_json(cls, data: dict[str, Any]) -> Law:
        return cls(**data)

    def __or__(self, other: Law) -> Union:
        from metarl.laws.mixtures import Union  # a law itself, so it imports this module

        parts = [law.laws if isinstance(law, Union) and law.weights is None else (law,) for law in (self, other)]
        return Union(*parts[0], *parts[1])

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def wrong(self, why: str) -> MetarlError:
        """The error for a mistake in this law."""
        return MetarlError(f"{type(self).__name__}: {why}")


def law_from_json(data: Mapping[str, Any]) -> Law:
    """The law that `Law.to_json` wrote. MetarlError for unknown laws and for wrong fields."""
    if not isinstance(data, Mapping) or not isinstance(data.get("law"), str):
        raise MetarlError(f'a law in JSON is an object with "law": its name, one of {sorted(Law.kinds)}; got {data!r}')
    kind, own = data["law"], {name: value for name, value in data.items() if name != "law"}
    if kind == "Joint":
        raise MetarlError("a joint draw is code and cannot be read from JSON; name its distribution or file instead")
    if kind not in Law.kinds:
        raise unknown("law", kind, Law.kinds)
    try:
        return Law.kinds[kind]._from_json(own)
    except TypeError as error:
        raise MetarlError(f"law {kind} in JSON: {error}") from None


def finite_numbers(law: Law, name: str, value: ArrayLike, integer: bool | None = False) -> np.ndarray:
    """value as finite float64, as int64 if integer, or as whichever it is if integer is None."""
    given = as_numbers(f"{type(law).__name__}, {name}", value)
    if not np.isfinite(given).all():
        raise law.wrong(f"{name} must be finite, got {given.tolist()}")
    if given.dtype.kind == "u" and (given > np.uint64(2**63 - 1)).any():
        raise law.wrong(f"{name} must fit in 64 signed bits, got {given.tolist()}")
    if integer and given.dtype.kind == "f":
        raise law.wrong(f"{name} must be an integer, got {given.tolist()}")
    whole = integer or (integer is None and given.dtype.kind in "biu")
    return given.astype(np.int64 if whole else np.float64)


def one_number(law: Law, name: str, value: ArrayLike) -> float:
    """value as a finite float."""
    given = finite_numbers(law, name, value)
    if given.ndim:
        raise law.wrong(f"{name} must be one number, got {given.tolist()}")
    return float(given)


def as_shape(law: Law, shape: Any) -> tuple[int, ...]:
    """shape as a tuple of ints; an int is a vector's length."""
    axes = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    if not all(isinstance(k, int | np.integer) and k >= 1 for k in axes):
        raise law.wrong(f"shape must be a tuple of integers of at least 1, e.g. (3,); got {shape!r}")
    return tuple(int(k) for k in axes)


def common_shape(law: Law, shape: Any, *arrays: np.ndarray) -> tuple[int, ...]:
    """The law's shape: as given, or that of its arrays if none was given. Arrays must fit it."""
    asked = as_shape(law, shape)
    shapes = [a.shape for a in arrays]
    try:
        full = np.broadcast_shapes(asked, *shapes)
    except ValueError:
        full = None
    if full is None or (asked and full != asked):
        raise law.wrong(f"values of shapes {shapes} do not fit shape {asked}; give numbers, or arrays of that shape")
    return full


def round_to_float32(values: np.ndarray, low: ArrayLike = -np.inf, high: ArrayLike = np.inf) -> np.ndarray:
    """Round values [n, ...] to the 24 significant bits of float32, within [low, high]; float64 of any exponent.

    The last digit of exp, log, sin and cos depends on the processor's instruction set and on the C library. A task's
    hash and its split depend on every digit. After rounding, tasks are the same on every machine. A value stays as it
    is where no rounded value lies in its interval.
    """
    significand, exponent = np.frexp(values)
    digits = np.rint(np.ldexp(significand, 24))
    with np.errstate(over="ignore"):
        rounded = np.ldexp(digits, exponent - 24)
        digits = digits + (rounded < low) - (rounded > high)  # the neighbour of one that lies outside
        rounded = np.ldexp(digits, exponent - 24)
    return np.where((rounded >= low) & (rounded <= high), rounded, values)


def fill(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A number or nested tuples as an array of this shape."""
    return np.broadcast_to(np.asarray(value), shape)


def to_tuples(array: np.ndarray) -> Any:
    """An array as nested tuples of Python numbers: what laws keep, so that they compare and hash."""
    return tuple(to_tuples(row) for row in array) if array.ndim else array.item()


def to_lists(value: Any) -> Any:
    """Nested tuples as nested lists, for JSON."""
    return [to_lists(item) for item in value] if isinstance(value, tuple) else value


def _short(value: Any) -> str:
    """A field for people to read: few digits, tuples without a trailing comma."""
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_short, value)) + ")"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
