"""The one error that users see: a mistake they can mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MetarlError(ValueError):
    """A mistake the user can mend; the message names the cure. The command line prints it without a traceback."""

    exit_status = 1  # of the command line


def unknown(kind: str, name: str, known: Iterable[str]) -> MetarlError:
    """The error for a name that nobody has, e.g. `raise unknown("world", "HalfCheeta", worlds)`.

    The message suggests the nearest known name (whatever its case) and lists them all, sorted.
    """
    names = sorted(set(known))
    by_lower = {n.lower(): n for n in names}
    near = difflib.get_close_matches(str(name).lower(), by_lower, n=1)
    hint = f"; did you mean {by_lower[near[0]]!r}?" if near else "."
    return MetarlError(f"unknown {kind} {name!r}{hint} Known: {', '.join(names) or 'none'}")
