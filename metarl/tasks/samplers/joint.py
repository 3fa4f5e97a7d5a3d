"""Joint draws: several parameters drawn at once by a user's function."""

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

    In a distribution: `parameters={("door", "key"): Joint(draw)}`, where draw(rng, n) returns {"door": [n, ...],
    "key": [n, ...]} and uses no source of randomness other than rng. `contains` maps such a dict to bool [n], the rows
    that the function could have drawn. It is required if `ood` has the same names. A function has no JSON form.
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
        """Name of the function, for messages."""
        return getattr(self.function, "__qualname__", repr(self.function))

    def sample(  # pyright: ignore[reportIncompatibleMethodOverride]  (several parameters, so a dict)
        self, rng: np.random.Generator, n: int, names: Iterable[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Return {name: values [n, ...]}. Raise MetarlError if the function returns anything else or other names."""
        drawn = self.function(rng, n)
        if not isinstance(drawn, Mapping) or (names is not None and set(drawn) != set(names)):
            expected = "a dict of arrays" if names is None else f"a dict of {sorted(names)}"
            got = sorted(drawn) if isinstance(drawn, Mapping) else type(drawn).__name__
            raise self.wrong(f"{self.label} must return {expected}; got {got}")
        arrays = {name: as_numbers(f"{self.label}, {name!r}", values) for name, values in drawn.items()}
        for name, values in arrays.items():
            if values.shape[:1] != (n,):
                raise self.wrong(
                    f"{self.label}, {name!r}: return {n} rows, one per task; got shape {list(values.shape)}"
                )
        return arrays

    def contains(self, values: Mapping[str, np.ndarray]) -> np.ndarray:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return bool [n]: which rows of {name: [n, ...]} lie in the support. Raise MetarlError without `contains`."""
        if self.support is None:
            raise self.wrong(f"the support of {self.label} is unknown; give Joint(..., contains=...)")
        return np.asarray(self.support(values), dtype=bool)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        raise self.wrong(f"{self.label} is code, its bounds are unknown; see the bounds of its parameters")

    def _inside(self, x: np.ndarray) -> np.ndarray:
        raise NotImplementedError  # contains() is overridden

    def to_json(self) -> dict[str, Any]:
        raise self.wrong(f"{self.label} is code and cannot be written as JSON; name its distribution or file instead")
