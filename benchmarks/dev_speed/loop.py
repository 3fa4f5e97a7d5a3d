"""The whole training loop of an agent, and where its time goes."""

from __future__ import annotations

import time
from typing import Any

from metarl.agents.networks import gru_steps
from metarl.benchmarks.dev_speed.several import Several
from metarl.benchmarks.dev_speed.timing import Side
from metarl.errors import MetarlError

PARTS = ("physics", "rest of the environment", "policy", "update")


class Parted(Side):
    """A side whose work has parts, each of them timed."""

    def __init__(self, parts: tuple[str, ...]) -> None:
        self.seconds = dict.fromkeys(parts, 0.0)

    def warm_up(self) -> None:
        super().warm_up()
        self.seconds = dict.fromkeys(self.seconds, 0.0)

    @property
    def shares(self) -> dict[str, float]:
        """Part -> its share of the time of all work since warm-up."""
        whole = sum(self.seconds.values())
        return {name: seconds / whole for name, seconds in self.seconds.items()}


class TrainingLoop(Parted):
    """Updates of an agent's learner: one is a rollout of a meta-batch of trials and what is learned from it.

    Its parts are timed in the first of its processes; what that waits for the others counts as part of the update.
    """

    def __init__(self, distribution: str, agent: str, processes: int = 1, **settings: Any) -> None:
        self.group = Several(processes, agent, distribution, settings)
        self.learner: Any = self.group.learner
        self.environment, self.physics = Stopwatch(), Stopwatch()
        trials = self.learner.env
        self.environment.time(trials, "begin", "step")
        if physics := getattr(trials.environment.simulation, "physics", None):
            self.physics.time(physics, "step")
        super().__init__(PARTS)

    def work(self) -> int:
        before = self.learner.env_steps
        for watch in (self.environment, self.physics):
            watch.clear()
        start = time.perf_counter()
        self.group.update()
        whole = time.perf_counter() - start
        rollout = self.environment.last - self.environment.first
        parts = (
            self.physics.seconds, self.environment.seconds - self.physics.seconds,
            rollout - self.environment.seconds, whole - rollout,
        )  # fmt: skip
        for name, seconds in zip(PARTS, parts, strict=True):
            self.seconds[name] += seconds
        return self.learner.env_steps - before

    def close(self) -> None:
        self.group.close()


class TorchSteps(TrainingLoop):
    """The same in one process whose GRU steps by torch operations, as where there was no C compiler."""

    def __init__(self, distribution: str, agent: str, **settings: Any) -> None:
        if not gru_steps.COMPILED:
            raise MetarlError("there is nothing else here: metarl was installed where there was no C compiler")
        super().__init__(distribution, agent, **settings)

    def work(self) -> int:
        compiled, gru_steps.gru_loops = gru_steps.gru_loops, None
        try:
            return super().work()
        finally:
            gru_steps.gru_loops = compiled


class Stopwatch:
    """Seconds spent inside some methods of an object; first and last: when the first call began and the last ended."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.seconds = self.first = self.last = 0.0

    def time(self, owner: Any, *methods: str) -> None:
        """Watch these methods of one object."""
        for method in methods:
            setattr(owner, method, self._timed(getattr(owner, method)))

    def _timed(self, method: Any) -> Any:
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            self.first = self.first or start
            try:
                return method(*args, **kwargs)
            finally:
                self.last = time.perf_counter()
                self.seconds += self.last - start

        return timed
