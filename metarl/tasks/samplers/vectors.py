"""Samplers of vectors with dependent elements: probabilities, permutations, discs and arcs."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from metarl.tasks.samplers.sampler import MOST_LISTED, Sampler
from metarl.tasks.samplers.values import (
    as_shape,
    fill,
    finite_numbers,
    one_number,
    round_to_float32,
    to_tuples,
)

ROUNDING = 1e-6
"""Relative tolerance of `contains`, because drawn values are rounded to float32."""


@dataclass(frozen=True)
class Dirichlet(Sampler):
    """The Dirichlet distribution: the last axis of `shape` sums to one, and rows are independent.

    concentration: a number > 0 for all, or one per element of the last axis; 1 is uniform on the simplex.
    """

    concentration: ArrayLike
    shape: tuple[int, ...]
    portable = True

    def __post_init__(self) -> None:
        alpha = finite_numbers(self, "concentration", self.concentration)
        self._set(concentration=to_tuples(alpha), shape=as_shape(self, self.shape))
        if not self.shape:
            raise self.wrong(f"shape needs a last axis to sum over, e.g. (3,); got {self.shape}")
        if alpha.shape not in ((), self.shape[-1:]):
            raise self.wrong(f"concentration has shape {alpha.shape}; give () or {self.shape[-1:]}, the last axis")
        if (alpha <= 0).any():
            raise self.wrong(f"concentration must be greater than 0, got {self.concentration}")

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return rng.dirichlet(fill(self.concentration, self.shape[-1:]), size=(n, *self.shape[:-1]))

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(self.shape), np.ones(self.shape)

    def _inside(self, x: np.ndarray) -> np.ndarray:
        one = np.abs(x.sum(axis=-1, keepdims=True) - 1.0) <= ROUNDING
        return one & (x >= 0)


@dataclass(frozen=True)
class Permutation(Sampler):
    """The uniform distribution on permutations of 0..n-1: an int vector p [n] that maps i to p[i].

    signed: entries are +(p[i] + 1) or -(p[i] + 1) with independent signs of equal probability. Entries start at 1
    because zero has no sign.
    """

    n: int
    signed: bool = False
    shape: tuple[int, ...] = field(init=False)
    integer = True
    portable = True

    def __post_init__(self) -> None:
        if not isinstance(self.n, int | np.integer) or self.n < 1:
            raise self.wrong(f"n must be an integer of at least 1, got {self.n!r}")
        self._set(n=int(self.n), shape=(int(self.n),))

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        p = rng.permuted(np.tile(np.arange(self.n), (n, 1)), axis=1)
        return (p + 1) * rng.choice([-1, 1], size=p.shape) if self.signed else p

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        low, high = (-self.n, self.n) if self.signed else (0, self.n - 1)
        return np.full(self.shape, low), np.full(self.shape, high)

    def _inside(self, x: np.ndarray) -> np.ndarray:
        return np.sort(np.abs(x) - 1 if self.signed else x, axis=1) == np.arange(self.n)

    def finite(self) -> np.ndarray | None:
        if math.factorial(min(self.n, 20)) * (2 ** min(self.n, 20) if self.signed else 1) > MOST_LISTED:
            return None
        p = np.array(list(itertools.permutations(range(self.n))))
        if not self.signed:
            return p
        signs = np.array(list(itertools.product((1, -1), repeat=self.n)))
        return ((p + 1)[:, None] * signs).reshape(-1, self.n)


@dataclass(frozen=True)
class Disc(Sampler):
    """The uniform distribution on the disc of `radius` about 0, or on the ring between `inner` and `radius`: [2]."""

    radius: float
    inner: float = 0.0
    shape: tuple[int, ...] = field(init=False, default=(2,))
    portable = True

    def __post_init__(self) -> None:
        self._set(radius=one_number(self, "radius", self.radius), inner=one_number(self, "inner", self.inner))
        if not 0 <= self.inner < self.radius:
            raise self.wrong(f"give 0 <= inner < radius, got inner {self.inner} and radius {self.radius}")

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        u, v = rng.random((2, n))
        r = np.sqrt(self.inner**2 + u * (self.radius**2 - self.inner**2))
        return round_to_float32(_polar(r, 2 * np.pi * v))

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return np.full(2, -self.radius), np.full(2, self.radius)

    def _inside(self, x: np.ndarray) -> np.ndarray:
        r = np.hypot(x[:, 0], x[:, 1])
        return (r >= self.inner * (1 - ROUNDING)) & (r <= self.radius * (1 + ROUNDING))


@dataclass(frozen=True)
class Arc(Sampler):
    """The uniform distribution on an arc about 0, at angles from start_rad to stop_rad (0 is along x): [2]."""

    radius: float
    start_rad: float = 0.0
    stop_rad: float = 2 * math.pi
    shape: tuple[int, ...] = field(init=False, default=(2,))
    portable = True

    def __post_init__(self) -> None:
        self._set(**{name: one_number(self, name, getattr(self, name)) for name in ("radius", "start_rad", "stop_rad")})
        if self.radius <= 0:
            raise self.wrong(f"radius must be greater than 0, got {self.radius}")
        if not 0 < self.stop_rad - self.start_rad <= 2 * math.pi * (1 + ROUNDING):
            raise self.wrong(f"give start_rad < stop_rad, a turn apart at most; got {self.start_rad}, {self.stop_rad}")

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return round_to_float32(_polar(np.full(n, self.radius), rng.uniform(self.start_rad, self.stop_rad, size=n)))

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        quarter = math.pi / 2  # the extremes of x and y are at the ends and where the arc crosses an axis
        first, last = math.ceil(self.start_rad / quarter), math.floor(self.stop_rad / quarter)
        crossings = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])[np.arange(first, last + 1) % 4]
        ends = _polar(np.full(2, self.radius), np.array([self.start_rad, self.stop_rad]))
        points = np.concatenate([ends, self.radius * crossings])
        return points.min(axis=0), points.max(axis=0)

    def _inside(self, x: np.ndarray) -> np.ndarray:
        turn, width = 2 * np.pi, self.stop_rad - self.start_rad
        past_start = (np.arctan2(x[:, 1], x[:, 0]) - self.start_rad + ROUNDING) % turn
        on_circle = np.abs(np.hypot(x[:, 0], x[:, 1]) - self.radius) <= ROUNDING * self.radius
        return on_circle & (past_start <= width + 2 * ROUNDING)


def _polar(r: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return np.stack([r * np.cos(angle), r * np.sin(angle)], axis=-1)
