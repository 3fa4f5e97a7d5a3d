"""The base class of samplers, mixtures of samplers, and reading samplers from JSON."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from metarl.errors import MetarlError, unknown
from metarl.tasks.parameter import as_numbers
from metarl.tasks.samplers.values import finite_numbers, short_text, to_lists

MOST_LISTED = 2**20
"""The largest support that `Sampler.finite` lists."""


class Sampler(ABC):
    """The probability distribution of one parameter. Samplers are frozen dataclasses; `a | b` is an equal mixture."""

    shape: tuple[int, ...]
    """shape of one value"""
    integer: bool = False
    """values are int64 instead of float64"""
    portable: bool = False
    """`sample` gives the same bits on every machine, by arithmetic alone or by `round_to_float32`"""
    joint: ClassVar[bool] = False
    """`sample` draws several parameters at once"""
    kinds: ClassVar[dict[str, type[Sampler]]] = {}
    """name -> class of every sampler, including those that users define; `sampler_from_json` reads these"""

    def __init_subclass__(cls) -> None:
        if cls.__name__.startswith("_"):
            return
        other = Sampler.kinds.setdefault(cls.__name__, cls)
        if other.__module__ != cls.__module__:
            raise MetarlError(f"there is a sampler named {cls.__name__!r}, in {other.__module__}; choose another name")
        Sampler.kinds[cls.__name__] = cls  # the newest class, in case its module was loaded again

    @abstractmethod
    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Return n independent values [n, *shape], float64 or int64."""

    @abstractmethod
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the smallest box around the support, (low, high), each [*shape]."""

    @abstractmethod
    def _inside(self, x: np.ndarray) -> np.ndarray:
        """Return whether x lies in the support: for each element [n, *shape], or for each value [n]."""

    def contains(self, values: ArrayLike) -> np.ndarray:
        """Return bool [n]: which of the values [n, *shape] lie in the support. Raise MetarlError for a wrong shape."""
        x = as_numbers(type(self).__name__, values)
        if x.ndim == 0 or x.shape[1:] != self.shape:
            expected = "[n" + "".join(f", {k}" for k in self.shape) + "]"
            raise self.wrong(f"contains() takes values of shape {expected}; got {list(x.shape)}")
        inside = np.asarray(self._inside(x))
        return np.asarray(inside.all(axis=tuple(range(1, inside.ndim))))

    def finite(self) -> np.ndarray | None:
        """Return all values [k, *shape] in a fixed order; None unless equally likely and at most MOST_LISTED."""
        return None

    def __str__(self) -> str:
        """The constructor call, without the shape."""
        values = [getattr(self, f.name) for f in fields(self) if f.init and f.name != "shape"]  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(map(short_text, values))})"

    def to_json(self) -> dict[str, Any]:
        """Return plain values, {"sampler": the class's name, **fields}, which `sampler_from_json` reads."""
        values = {f.name: to_lists(getattr(self, f.name)) for f in fields(self) if f.init}  # type: ignore[arg-type]
        return {"sampler": type(self).__name__} | values

    @classmethod
    def _from_json(cls, data: dict[str, Any]) -> Sampler:
        return cls(**data)

    def __or__(self, other: Sampler) -> Union:
        parts = [
            sampler.samplers if isinstance(sampler, Union) and sampler.weights is None else (sampler,)
            for sampler in (self, other)
        ]
        return Union(*parts[0], *parts[1])

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def wrong(self, why: str) -> MetarlError:
        """Return the error for a mistake in this sampler."""
        return MetarlError(f"{type(self).__name__}: {why}")


@dataclass(frozen=True, init=False)
class Union(Sampler):
    """A mixture: each value comes from one of the samplers, with equal probability or in proportion to `weights`.

    Example with two outer intervals: `Uniform(-2.0, -1.0) | Uniform(1.0, 2.0)`. In `a | b | c` all three are equal.
    """

    samplers: tuple[Sampler, ...]
    weights: tuple[float, ...] | None
    shape: tuple[int, ...] = field(init=False)
    integer: bool = field(init=False)

    def __init__(self, *samplers: Sampler, weights: Iterable[float] | None = None) -> None:
        if not samplers or not all(isinstance(sampler, Sampler) and not sampler.joint for sampler in samplers):
            raise self.wrong(f"give samplers, e.g. Union(Uniform(0, 1), Uniform(2, 3)); got {samplers!r}")
        if len({sampler.shape for sampler in samplers}) > 1:
            raise self.wrong(f"samplers of different shapes do not mix: {[sampler.shape for sampler in samplers]}")
        if weights is not None:
            table = finite_numbers(self, "weights", list(weights))
            if table.shape != (len(samplers),) or (table <= 0).any():
                raise self.wrong(f"give one weight > 0 for each of {len(samplers)} samplers, got {table.tolist()}")
            weights = tuple(table.tolist())
        integer = all(sampler.integer for sampler in samplers)
        self._set(samplers=tuple(samplers), weights=weights, shape=samplers[0].shape, integer=integer)

    @property
    def portable(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return all(sampler.portable for sampler in self.samplers)

    @property
    def probabilities(self) -> np.ndarray:
        """float64 [number of samplers]; they sum to one."""
        weights = np.ones(len(self.samplers)) if self.weights is None else np.array(self.weights)
        return weights / weights.sum()

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        which = rng.choice(len(self.samplers), size=n, p=self.probabilities)
        out = np.empty((n, *self.shape), dtype=np.int64 if self.integer else np.float64)
        for i, sampler in enumerate(self.samplers):
            out[which == i] = sampler.sample(rng, int((which == i).sum()))
        return out

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        lows, highs = zip(*(sampler.bounds() for sampler in self.samplers), strict=True)
        return np.min(lows, axis=0), np.max(highs, axis=0)

    def _inside(self, x: np.ndarray) -> np.ndarray:
        return np.any([sampler.contains(x) for sampler in self.samplers], axis=0)

    def finite(self) -> np.ndarray | None:
        lists = [sampler.finite() for sampler in self.samplers]
        parts = [part for part in lists if part is not None]
        if len(parts) < len(lists) or sum(map(len, parts)) > MOST_LISTED:
            return None
        every = np.concatenate(parts)
        each = self.probabilities / [len(part) for part in parts]
        equal = np.allclose(each, each[0], rtol=1e-12, atol=0) and len(np.unique(every, axis=0)) == len(every)
        return every if equal else None

    def to_json(self) -> dict[str, Any]:
        weights = None if self.weights is None else list(self.weights)
        return {"sampler": "Union", "samplers": [sampler.to_json() for sampler in self.samplers], "weights": weights}

    @classmethod
    def _from_json(cls, data: dict[str, Any]) -> Sampler:
        samplers = [sampler_from_json(sampler) for sampler in data.pop("samplers", [])]
        return cls(*samplers, **data)


def sampler_from_json(data: Mapping[str, Any]) -> Sampler:
    """Return the sampler that `Sampler.to_json` wrote. Raise MetarlError for unknown samplers and wrong fields."""
    if not isinstance(data, Mapping) or not isinstance(data.get("sampler"), str):
        raise MetarlError(
            f'a sampler in JSON is an object with "sampler": its name, one of {sorted(Sampler.kinds)}; got {data!r}'
        )
    name, values = data["sampler"], {key: value for key, value in data.items() if key != "sampler"}
    if name == "Joint":
        raise MetarlError("a joint draw is code and cannot be read from JSON; name its distribution or file instead")
    if name not in Sampler.kinds:
        raise unknown("sampler", name, Sampler.kinds)
    try:
        return Sampler.kinds[name]._from_json(values)
    except TypeError as error:
        raise MetarlError(f"sampler {name} in JSON: {error}") from None
