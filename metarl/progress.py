"""The live line of a training run."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
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
        self.console = Console(file=sys.stderr)
        self.live = Live(Text(self.title), console=self.console, auto_refresh=False) if self.console.is_terminal else None

    def __enter__(self) -> Progress:
        self.began = self.shown = time.perf_counter()
        if self.live:
            self.live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
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
            self.console.print(line, highlight=False, soft_wrap=True)

    def _line(self, row: Mapping[str, Any], valid: Mapping[str, Any], steps: int, rate: float) -> str:
        left = max(0, self.total - steps) / max(rate, 1e-9)
        parts = [
            f"{self.title}  {steps / 1e6:.2f}M of {self.total / 1e6:.2f}M env steps",
            f"{rate:,.0f}/s",
            f"return first {row['return_first']:.1f} last {row['return_last']:.1f}",
            *(f"{name.replace('_', ' ')} {value:.1f}" for name, value in valid.items() if value is not None),
            f"{left // 60:.0f} min {left % 60:02.0f} s left",
        ]
        return "  |  ".join(parts)
