"""The live line of a training run."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

QUIET_S = 10.0  # between lines where there is no terminal to redraw


class Progress:
    """Steps of total, env-steps/s, return of the first and last episode, time left: one line, redrawn."""

    def __init__(self, agent: str, distribution: str, env_steps: int, total: int) -> None:
        self.title = f"{agent} on {distribution}"
        self.total = total
        self.start_steps = env_steps
        self.console = Console(file=sys.stderr, highlight=False)
        self.live: Live | None = None
        if self.console.is_terminal:
            self.live = Live(Text(self.title), console=self.console, auto_refresh=False)

    def __enter__(self) -> Progress:
        self.began = self.shown = time.perf_counter()
        if self.live:
            self.live.start(refresh=True)
        return self

    def __exit__(self, *error: object) -> None:
        if self.live:
            self.live.stop()

    def show(self, row: Mapping[str, Any], valid: Mapping[str, Any]) -> None:
        """`row`: the update's metrics; `valid`: the last evaluation's."""
        now, steps = time.perf_counter(), row["env_steps"]
        line = self._line(row, valid, steps, (steps - self.start_steps) / (now - self.began))
        if self.live:
            self.live.update(Text(line), refresh=True)
        elif now - self.shown >= QUIET_S or steps >= self.total:
            self.shown = now
            self.say(line)

    def say(self, text: str) -> None:
        """A line of its own, above the live one."""
        self.console.print(text, markup=False, soft_wrap=True)

    def _line(self, row: Mapping[str, Any], valid: Mapping[str, Any], steps: int, rate: float) -> str:
        left = max(0, self.total - steps) / max(rate, 1e-9)
        parts = [
            f"{self.title}  {_count(steps)} of {_count(self.total)} env steps",
            f"{rate:,.0f}/s",
            _pair("return", row.get("return_first"), row.get("return_last")),
            *(_pair(split, *values) for split, values in _by_split(valid).items()),
            f"{duration(left)} left" if steps < self.total else f"done in {duration(time.perf_counter() - self.began)}",
        ]
        return "  |  ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """Two units: 5 h 07 min, 3 min 20 s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _count(steps: int) -> str:
    return f"{steps:,}" if steps < 1e6 else f"{steps / 1e6:.2f}M"


def _pair(name: str, first: float | None, last: float | None) -> str:
    """The first and the last episode's return; nothing where they are not known."""
    if first is None or last is None:
        return ""
    digits = 1 if max(abs(first), abs(last)) >= 10 else 2
    return f"{name} first {first:.{digits}f} last {last:.{digits}f}"


def _by_split(valid: Mapping[str, float | None]) -> dict[str, list[float | None]]:
    """{"valid_first": a, "valid_last": b} -> {"valid": [a, b]}."""
    splits: dict[str, list[float | None]] = {}
    for name, value in valid.items():
        splits.setdefault(name.rpartition("_")[0], []).append(value)
    return splits
