"""Checks of settings, for the `__post_init__` of the dataclasses that hold them."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from metarl.errors import MetarlError


def check_whole(settings: Any, *names: str, low: int) -> None:
    """Raise MetarlError unless these fields are whole numbers of at least `low`."""
    for name in names:
        value = getattr(settings, name)
        if not isinstance(value, Integral) or isinstance(value, bool) or value < low:
            raise MetarlError(f"{name} must be a whole number of at least {low}, got {value!r}")


def check_number(
    settings: Any, *names: str, low: float = -math.inf, high: float = math.inf, above: float = -math.inf
) -> None:
    """Raise MetarlError unless these fields are finite numbers with low <= x <= high and x > above."""
    for name in names:
        value = getattr(settings, name)
        number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
        if not (math.isfinite(number) and low <= number <= high and number > above):
            raise MetarlError(f"{name} must be a number{_range_text(low, high, above)}, got {value!r}")


def _range_text(low: float, high: float, above: float) -> str:
    if above > -math.inf:
        return f" above {above:g}" + (f" and at most {high:g}" if high < math.inf else "")
    if high < math.inf:
        return f" in [{low:g}, {high:g}]"
    return f" of at least {low:g}" if low > -math.inf else ", finite"
