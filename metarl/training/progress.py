"""The progress line of a training run."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

LINE_EVERY_S = 10.0  # seconds between lines if stderr is not a terminal


class Progress:
    """One line on stderr: env steps of the total, env steps per second, first and last return, and time left.

    A terminal shows one line, which is redrawn. Otherwise a new line is printed at most every LINE_EVERY_S seconds.
    """

    def __init__(self, agent: str, distribution: str, env_steps: int, total: int) -> None:
        self.title = f"{agent} on {distribution}"
        self.total = total
        self.start_steps = env_steps
        self.console = Console(file=sys.stderr, highlight=False)
        self._display: Live | None = None
        if self.console.is_terminal:
            self._display = Live(Text(self.title), console=self.console, auto_refresh=False)

    def __enter__(self) -> Progress:
        self.start_time = self.print_time = time.perf_counter()
        if self._display:
            self._display.start(refresh=True)
        return self

    def __exit__(self, *error: object) -> None:
        if self._display:
            self._display.stop()

    def show(self, row: Mapping[str, Any], valid: Mapping[str, Any]) -> None:
        """Update the line. row: metrics of the update; valid: metrics of the last evaluation."""
        now, steps = time.perf_counter(), row["env_steps"]
        line = self._line(row, valid, steps, (steps - self.start_steps) / (now - self.start_time))
        if self._display:
            self._display.update(Text(line), refresh=True)
        elif now - self.print_time >= LINE_EVERY_S or steps >= self.total:
            self.print_time = now
            self.print(line)

    def print(self, text: str) -> None:
        """Print a separate line above the progress line."""
        self.console.print(text, markup=False, soft_wrap=True)

    def _line(self, row: Mapping[str, Any], valid: Mapping[str, Any], steps: int, rate: float) -> str:
        left = max(0, self.total - steps) / max(rate, 1e-9)
        taken = time.perf_counter() - self.start_time
        parts = [
            f"{self.title}  {_count(steps)} of {_count(self.total)} env steps",
            f"{rate:,.0f}/s",
            _pair("return", row.get("return_first"), row.get("return_last")),
            *(_pair(split, *values) for split, values in _by_split(valid).items()),
            f"{duration(left)} left" if steps < self.total else f"done in {duration(taken)}",
        ]
        return "  |  ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """Return a duration in two units: 5 h 07 min, 3 min 20 s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _count(steps: int) -> str:
    return f"{steps:,}" if steps < 1e6 else f"{steps / 1e6:.2f}M"


def _pair(name: str, first: float | None, last: float | None) -> str:
    """Return the text of the first and the last episode's return; "" if one is missing."""
    if first is None or last is None:
        return ""
    digits = 1 if max(abs(first), abs(last)) >= 10 else 2
    return f"{name} first {first:.{digits}f} last {last:.{digits}f}"


def _by_split(valid: Mapping[str, float | None]) -> dict[str, list[float | None]]:
    """Return {"valid": [a, b]} for {"valid_first": a, "valid_last": b}."""
    splits: dict[str, list[float | None]] = {}
    for name, value in valid.items():
        splits.setdefault(name.rpartition("_")[0], []).append(value)
    return splits
