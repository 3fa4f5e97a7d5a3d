"""Timing several things side by side on a machine that is never quite quiet.

Sides take turns: every round measures each of them once, and each round begins with another, so that what else the
machine does falls on all alike. A rate is the median over rounds; two sides are compared by the ratio of their medians.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Sample:
    """What one side did in one round."""

    steps: int  # env steps; those of environments at rest or being reset do not count
    seconds: float

    @property
    def rate(self) -> float:
        """Env steps a second."""
        return self.steps / self.seconds


@dataclass(frozen=True)
class Rate:
    """Env steps a second over all rounds."""

    median: float
    low: float
    high: float


class Side(ABC):
    """One of the things compared."""

    @abstractmethod
    def work(self) -> int:
        """The least that is representative, such as whole episodes; the env steps it took."""

    def warm_up(self) -> None:
        """What happens the first time only: not measured."""
        self.work()

    def close(self) -> None:  # noqa: B027 - most sides hold nothing to release
        """Release processes and threads."""


def measure(side: Side, seconds: float, clock: Callable[[], float] = time.perf_counter) -> Sample:
    """Whole units of work until at least this much time has gone by."""
    start, steps = clock(), 0
    while True:
        steps += side.work()
        elapsed = clock() - start
        if elapsed >= seconds:
            return Sample(steps, elapsed)


def take_turns(sides: Sequence[str], rounds: int) -> Iterator[str]:
    """Every side once a round; round r begins with side r."""
    for r in range(rounds):
        first = r % len(sides)
        yield from (*sides[first:], *sides[:first])


def summary(samples: Sequence[Sample]) -> Rate:
    """Median and range over rounds."""
    rates = [sample.rate for sample in samples]
    return Rate(median(rates), min(rates), max(rates))
