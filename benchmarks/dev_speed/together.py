"""The same sides measured in several processes at once: what a machine does where one of them keeps one core busy."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from metarl.benchmarks.dev_speed.timing import Sample, Side, measure, take_turns
from metarl.runtime import threads
from metarl.runtime.machine import limited_to

Open = Callable[[], Mapping[str, Side]]

_barrier: Any = None  # of the processes of one measurement, set as each of them starts


def measure_together(open_sides: Open, processes: int, rounds: int, seconds: float) -> dict[str, list[Sample]]:
    """Each side's samples, one a round; a sample is what all processes did, each in at least this many seconds.

    open_sides: called in each process, so a function that can be pickled. Each process has one core, and waits for
    the others before a side begins, so that all work on the same side at a time.
    """
    if processes == 1:
        return _measure(open_sides, rounds, seconds)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    with ProcessPoolExecutor(processes, context, initializer=_meet_at, initargs=(barrier,)) as pool:
        started = [pool.submit(_measure, open_sides, rounds, seconds) for _ in range(processes)]
        parts = [future.result() for future in started]
    return {name: [_sum(*samples) for samples in zip(*(p[name] for p in parts), strict=True)] for name in parts[0]}


def _measure(open_sides: Open, rounds: int, seconds: float) -> dict[str, list[Sample]]:
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
                samples[name].append(measure(sides[name], seconds))
            for side in sides.values():
                side.close()
        except BaseException:
            if _barrier is not None:
                _barrier.abort()  # or the others would wait for ever
            raise
    return samples


def _meet_at(barrier: Any) -> None:
    global _barrier
    _barrier = barrier


def _sum(*samples: Sample) -> Sample:
    """What several did side by side, as one that took as long as the slowest."""
    seconds = max(sample.seconds for sample in samples)
    return Sample(round(sum(sample.rate for sample in samples) * seconds), seconds)
