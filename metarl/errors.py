"""The error that users see for mistakes they can correct."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MetarlError(ValueError):
    """A mistake that the user can correct. The message names the cure; the command line prints no traceback."""

    exit_status = 1  # exit status of the command line


def unknown(kind: str, name: str, known: Iterable[str]) -> MetarlError:
    """Return the error for an unknown name, e.g. `raise unknown("world", "HalfCheeta", worlds)`.

    The message suggests the nearest known name, ignoring case, and lists all known names in alphabetical order.
    """
    names = sorted(set(known))
    by_lower = {n.lower(): n for n in names}
    near = difflib.get_close_matches(str(name).lower(), by_lower, n=1)
    hint = f"; did you mean {by_lower[near[0]]!r}?" if near else "."
    return MetarlError(f"unknown {kind} {name!r}{hint} Known: {', '.join(names) or 'none'}")
