"""Samplers with independent elements: intervals, integers, normal distributions, lists and constants."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metarl.tasks.samplers.sampler import MOST_LISTED, Sampler
from metarl.tasks.samplers.values import (
    common_shape,
    fill,
    finite_numbers,
    round_to_float32,
    to_tuples,
)


class _Box(Sampler):
    """A sampler with `low`, `high` and `shape`: each element lies in its own closed interval."""

    low: Any
    high: Any
    portable = True

    def __post_init__(self) -> None:
        low, high = (finite_numbers(self, name, getattr(self, name), self.integer) for name in ("low", "high"))
        self._set(shape=common_shape(self, self.shape, low, high), low=to_tuples(low), high=to_tuples(high))
        if (low > high).any():
            raise self.wrong(f"low {self.low} is greater than high {self.high}; swap them")

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return fill(self.low, self.shape), fill(self.high, self.shape)

    def _inside(self, x: np.ndarray) -> np.ndarray:
        low, high = self.bounds()
        return (x >= low) & (x <= high)


@dataclass(frozen=True)
class Uniform(_Box):
    """The uniform distribution on [low, high]. Vector bounds give a box; a shape gives independent elements."""

    low: ArrayLike
    high: ArrayLike
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        with np.errstate(over="ignore"):
            if not np.isfinite(np.subtract(*self.bounds())).all():
                raise self.wrong(f"the range from {self.low} to {self.high} is too wide for 64 bits; narrow it")

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        low, high = self.bounds()
        # rng.uniform multiplies and adds in one fused operation on some processors, with another last digit.
        return low + (high - low) * rng.random((n, *self.shape))


@dataclass(frozen=True)
class LogUniform(_Box):
    """The log-uniform distribution on [low, high], low > 0: every factor of two is equally likely."""

    low: ArrayLike
    high: ArrayLike
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.bounds()[0] <= 0).any():
            raise self.wrong(f"low must be greater than 0, got {self.low}; use Uniform for a range that includes 0")

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        low, high = self.bounds()
        x = np.exp(rng.uniform(np.log(low), np.log(high), size=(n, *self.shape)))
        return round_to_float32(np.clip(x, low, high), low, high)  # exp(log(high)) may round to just above high


@dataclass(frozen=True)
class Integers(_Box):
    """The uniform distribution on the integers low, low + 1, ..., high, both included."""

    low: ArrayLike
    high: ArrayLike
    shape: tuple[int, ...] = ()
    integer = True

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return rng.integers(*self.bounds(), size=(n, *self.shape), endpoint=True)

    def _inside(self, x: np.ndarray) -> np.ndarray:
        return super()._inside(x) & (x == np.floor(x))

    def finite(self) -> np.ndarray | None:
        low, high = (side.ravel().tolist() for side in self.bounds())
        ranges = [range(a, b + 1) for a, b in zip(low, high, strict=True)]
        if math.prod(b - a + 1 for a, b in zip(low, high, strict=True)) > MOST_LISTED:
            return None
        return np.array(list(itertools.product(*ranges)), dtype=np.int64).reshape(-1, *self.shape)


@dataclass(frozen=True)
class Normal(Sampler):
    """The normal distribution with `mean` and standard deviation `std` > 0, with independent elements."""

    mean: ArrayLike
    std: ArrayLike
    shape: tuple[int, ...] = ()
    portable = True

    def __post_init__(self) -> None:
        mean, std = finite_numbers(self, "mean", self.mean), finite_numbers(self, "std", self.std)
        self._set(shape=common_shape(self, self.shape, mean, std), mean=to_tuples(mean), std=to_tuples(std))
        if (std <= 0).any():
            raise self.wrong(f"std must be greater than 0, got {self.std}; use Fixed for a constant")

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return fill(self.mean, self.shape) + fill(self.std, self.shape) * rng.standard_normal((n, *self.shape))

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return np.full(self.shape, -np.inf), np.full(self.shape, np.inf)

    def _inside(self, x: np.ndarray) -> np.ndarray:
        return np.isfinite(x)


@dataclass(frozen=True)
class Choice(Sampler):
    """The uniform distribution on a list of numbers or vectors, all of one shape. Integers stay integers."""

    values: Any
    shape: tuple[int, ...] = field(init=False)
    integer: bool = field(init=False)
    portable = True

    def __post_init__(self) -> None:
        values = list(self.values) if isinstance(self.values, Iterable) else []
        if not values:
            raise self.wrong(f"list at least one value, e.g. Choice([1.0, 2.0]); got {self.values!r}")
        table = finite_numbers(self, "values", values, integer=None)
        if len(np.unique(table, axis=0)) < len(table):
            raise self.wrong("a value is listed twice; list each once, or weight them with Union(..., weights=...)")
        self._set(values=to_tuples(table), shape=table.shape[1:], integer=table.dtype.kind == "i")

    @property
    def _table(self) -> np.ndarray:
        return np.array(self.values)

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return self._table[rng.integers(len(self._table), size=n)]

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return self._table.min(axis=0), self._table.max(axis=0)

    def _inside(self, x: np.ndarray) -> np.ndarray:
        same = x[:, None] == self._table
        return same.all(axis=tuple(range(2, same.ndim))).any(axis=1)

    def finite(self) -> np.ndarray | None:
        return self._table if len(self._table) <= MOST_LISTED else None


@dataclass(frozen=True)
class Fixed(Sampler):
    """A constant."""

    value: ArrayLike
    shape: tuple[int, ...] = field(init=False)
    integer: bool = field(init=False)
    portable = True

    def __post_init__(self) -> None:
        value = finite_numbers(self, "value", self.value, integer=None)
        self._set(value=to_tuples(value), shape=value.shape, integer=value.dtype.kind == "i")

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return np.repeat(np.array(self.value)[None], n, axis=0)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array(self.value), np.array(self.value)

    def _inside(self, x: np.ndarray) -> np.ndarray:
        return x == np.array(self.value)

    def finite(self) -> np.ndarray | None:
        return np.array(self.value)[None]
