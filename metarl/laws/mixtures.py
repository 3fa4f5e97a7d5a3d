"""Laws made of others or of code: a mixture of laws, and a joint draw of several parameters by a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metarl.laws.law import MOST_LISTED, Law, finite_numbers, law_from_json
from metarl.parameters import as_numbers


@dataclass(frozen=True, init=False)
class Union(Law):
    """A mixture: each value comes from one of the laws, equally often or in proportion to `weights`.

    Example, two outer intervals: `Uniform(-2.0, -1.0) | Uniform(1.0, 2.0)`. In `a | b | c` all three are equal.
    """

    laws: tuple[Law, ...]
    weights: tuple[float, ...] | None
    shape: tuple[int, ...] = field(init=False)
    integer: bool = field(init=False)

    def __init__(self, *laws: Law, weights: Iterable[float] | None = None) -> None:
        if not laws or not all(isinstance(law, Law) and not isinstance(law, Joint) for law in laws):
            raise self.wrong(f"give laws, e.g. Union(Uniform(0, 1), Uniform(2, 3)); got {laws!r}")
        if len({law.shape for law in laws}) > 1:
            raise self.wrong(f"laws of different shapes do not mix: {[law.shape for law in laws]}")
        if weights is not None:
            table = finite_numbers(self, "weights", list(weights))
            if table.shape != (len(laws),) or (table <= 0).any():
                raise self.wrong(f"want one weight > 0 for each of {len(laws)} laws, got {table.tolist()}")
            weights = tuple(table.tolist())
        integer = all(law.integer for law in laws)
        self._set(laws=tuple(laws), weights=weights, shape=laws[0].shape, integer=integer)

    @property
    def portable(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return all(law.portable for law in self.laws)

    @property
    def probabilities(self) -> np.ndarray:
        """float64 [number of laws], summing to one."""
        weights = np.ones(len(self.laws)) if self.weights is None else np.array(self.weights)
        return weights / weights.sum()

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        which = rng.choice(len(self.laws), size=n, p=self.probabilities)
        out = np.empty((n, *self.shape), dtype=np.int64 if self.integer else np.float64)
        for i, law in enumerate(self.laws):
            out[which == i] = law.sample(rng, int((which == i).sum()))
        return out

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        lows, highs = zip(*(law.bounds() for law in self.laws), strict=True)
        return np.min(lows, axis=0), np.max(highs, axis=0)

    def _inside(self, x: np.ndarray) -> np.ndarray:
        return np.any([law.contains(x) for law in self.laws], axis=0)

    def finite(self) -> np.ndarray | None:
        lists = [law.finite() for law in self.laws]
        parts = [part for part in lists if part is not None]
        if len(parts) < len(lists) or sum(map(len, parts)) > MOST_LISTED:
            return None
        every = np.concatenate(parts)
        each = self.probabilities / [len(part) for part in parts]
        equal = np.allclose(each, each[0], rtol=1e-12, atol=0) and len(np.unique(every, axis=0)) == len(every)
        return every if equal else None

    def to_json(self) -> dict[str, Any]:
        weights = None if self.weights is None else list(self.weights)
        return {"law": "Union", "laws": [law.to_json() for law in self.laws], "weights": weights}

    @classmethod
    def _from_json(cls, data: dict[str, Any]) -> Law:
        laws = [law_from_json(law) for law in data.pop("laws", [])]
        return cls(*laws, **data)


@dataclass(frozen=True, init=False)
class Joint(Law):
    """Several parameters drawn at once by a function, for values that depend on each other.

    In a distribution: `parameters={("door", "key"): Joint(draw)}`, where draw(rng, n) -> {"door": [n, ...], "key":
    [n, ...]} uses no randomness but rng's. `contains`, if given, maps such a dict to bool [n]: which rows the function
    could have drawn; it is needed where the names are also in `ood`. Code is not data: no JSON.
    """

    function: Callable[[np.random.Generator, int], Mapping[str, ArrayLike]]
    support: Callable[[Mapping[str, np.ndarray]], ArrayLike] | None

    def __init__(
        self,
        function: Callable[[np.random.Generator, int], Mapping[str, ArrayLike]],
        contains: Callable[[Mapping[str, np.ndarray]], ArrayLike] | None = None,
    ) -> None:
        for name, value in (("function", function), ("contains", contains)):
            if not callable(value) and (name == "function" or value is not None):
                raise self.wrong(f"{name} must be a function, got {value!r}")
        self._set(function=function, support=contains, shape=())

    @property
    def label(self) -> str:
        """The function's name, for messages."""
        return getattr(self.function, "__qualname__", repr(self.function))

    def sample(  # pyright: ignore[reportIncompatibleMethodOverride]  (several parameters, so a dict)
        self, rng: np.random.Generator, n: int, names: Iterable[str] | None = None
    ) -> dict[str, np.ndarray]:
        """{name: values [n, ...]}; MetarlError for anything else, and for other than these names if they are given."""
        drawn = self.function(rng, n)
        if not isinstance(drawn, Mapping) or (names is not None and set(drawn) != set(names)):
            want = "a dict of arrays" if names is None else f"a dict of {sorted(names)}"
            got = sorted(drawn) if isinstance(drawn, Mapping) else type(drawn).__name__
            raise self.wrong(f"{self.label} must return {want}; got {got}")
        out = {name: as_numbers(f"{self.label}, {name!r}", values) for name, values in drawn.items()}
        for name, values in out.items():
            if values.shape[:1] != (n,):
                raise self.wrong(f"{self.label}, {name!r}: want {n} rows, a task a row; got shape {list(values.shape)}")
        return out

    def contains(self, values: Mapping[str, np.ndarray]) -> np.ndarray:  # pyright: ignore[reportIncompatibleMethodOverride]
        """bool [n]: which rows of {name: [n, ...]} lie in the support. MetarlError if nobody said how to tell."""
        if self.support is None:
            raise self.wrong(f"whether {self.label} could draw a value is unknown; give Joint(..., contains=...)")
        return np.asarray(self.support(values), dtype=bool)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        raise self.wrong(f"{self.label} is code, its bounds are unknown; see the bounds of its parameters")

    def _inside(self, x: np.ndarray) -> np.ndarray:
        raise NotImplementedError  # contains() is its own

    def to_json(self) -> dict[str, Any]:
        raise self.wrong(f"{self.label} is code and cannot be written as JSON; name its distribution or file instead")
