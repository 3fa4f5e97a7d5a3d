"""Sides measured in several processes at once, because one process keeps only one core busy."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from metarl.benchmarks.dev_speed.side import Side
from metarl.runtime import threads
from metarl.runtime.machine import limited_to
from metarl.runtime.timing import Sample, measure, take_turns

OpenSides = Callable[[], Mapping[str, Side]]

_barrier: Any = None  # the barrier of this measurement's processes, set when a process starts


def measure_in_processes(
    open_sides: OpenSides, processes: int, rounds: int, seconds: float
) -> dict[str, list[Sample]]:  # fmt: skip
    """Return each side's samples, one per round: the sum over all processes, each measured for at least `seconds`.

    open_sides: a picklable function that is called in each process. Each process has one core. All processes start a
    side at the same time, so that they work on the same side.
    """
    if processes == 1:
        return _measure(open_sides, rounds, seconds)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    with ProcessPoolExecutor(processes, context, initializer=_set_barrier, initargs=(barrier,)) as pool:
        futures = [pool.submit(_measure, open_sides, rounds, seconds) for _ in range(processes)]
        parts = [future.result() for future in futures]
    return {name: [_sum(*samples) for samples in zip(*(p[name] for p in parts), strict=True)] for name in parts[0]}


def _measure(open_sides: OpenSides, rounds: int, seconds: float) -> dict[str, list[Sample]]:
    rank = 0 if _barrier is None else _barrier.wait()
    with limited_to(1, first=rank % threads.available()):
        try:
            sides = open_sides()
            for side in sides.values():
                side.warm_up()
            samples: dict[str, list[Sample]] = {name: [] for name in sides}
            for name in take_turns(list(sides), rounds):
                if _barrier is not None:
                    _barrier.wait()
                samples[name].append(measure(sides[name].work, seconds))
            for side in sides.values():
                side.close()
        except BaseException:
            if _barrier is not None:
                _barrier.abort()  # otherwise the other processes wait forever
            raise
    return samples


def _set_barrier(barrier: Any) -> None:
    global _barrier
    _barrier = barrier


def _sum(*samples: Sample) -> Sample:
    """Return the samples of simultaneous processes as one, which takes as long as the slowest of them."""
    seconds = max(sample.seconds for sample in samples)
    return Sample(round(sum(sample.rate for sample in samples) * seconds), seconds)
