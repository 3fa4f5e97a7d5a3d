"""A stopwatch for the methods of one object."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class Stopwatch:
    """The time spent in watched methods since the last `clear`, with the first call's start and the last call's end."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Set all times to zero."""
        self.seconds = self.first = self.last = 0.0

    def watch(self, owner: Any, *methods: str) -> None:
        """Replace these methods of one object by timed ones."""
        for method in methods:
            setattr(owner, method, self._timed(getattr(owner, method)))

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            self.first = self.first or start
            try:
                return method(*args, **kwargs)
            finally:
                self.last = time.perf_counter()
                self.seconds += self.last - start

        return timed
