"""Throughput of repeated work, in env steps per second, measured over several rounds.

The speed of a machine that also runs other programs changes from minute to minute. Alternatives that are compared
therefore take turns: every round measures each of them once, and each round starts with another one, so that a slow
minute affects all of them alike. A rate is the median over rounds; two alternatives are compared by the ratio of their
medians.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Sample:
    """The measurement of one round."""

    steps: int  # env steps; steps of environments that rest or are being reset are not counted
    seconds: float

    @property
    def rate(self) -> float:
        """Env steps per second."""
        return self.steps / self.seconds


@dataclass(frozen=True)
class Rate:
    """Env steps per second over all rounds."""

    median: float
    low: float  # minimum
    high: float  # maximum


def measure(work: Callable[[], int], seconds: float, clock: Callable[[], float] = time.perf_counter) -> Sample:
    """Repeat `work`, which returns the env steps that it took, until at least `seconds` have passed."""
    start, steps = clock(), 0
    while True:
        steps += work()
        elapsed = clock() - start
        if elapsed >= seconds:
            return Sample(steps, elapsed)


def take_turns(names: Sequence[str], rounds: int) -> Iterator[str]:
    """Yield every name once per round; round r starts with name r, counted modulo the number of names."""
    for r in range(rounds):
        first = r % len(names)
        yield from (*names[first:], *names[:first])


def summarize(samples: Sequence[Sample]) -> Rate:
    """Return median, minimum and maximum over rounds."""
    rates = [sample.rate for sample in samples]
    return Rate(median(rates), min(rates), max(rates))
