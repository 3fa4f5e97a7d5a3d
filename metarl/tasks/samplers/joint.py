"""Several parameters drawn at once by a user's function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from metarl.tasks.parameter import as_numbers
from metarl.tasks.samplers.sampler import Sampler


@dataclass(frozen=True, init=False)
class Joint(Sampler):
    """Several parameters drawn at once by a function, for values that depend on each other.

    In a distribution: `parameters={("door", "key"): Joint(draw)}`, where draw(rng, n) -> {"door": [n, ...], "key":
    [n, ...]} uses no randomness but rng's. `contains`, if given, maps such a dict to bool [n]: which rows the function
    could have drawn; it is needed where the names are also in `ood`. Code is not data: no JSON.
    """

    function: Callable[[np.random.Generator, int], Mapping[str, ArrayLike]]
    support: Callable[[Mapping[str, np.ndarray]], ArrayLike] | None
    joint: ClassVar[bool] = True

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
