"""Training of an agent, profiled by parts."""

from __future__ import annotations

import time
from typing import Any

from metarl.agents.networks import gru
from metarl.benchmarks.dev_speed.distributed_learner import DistributedLearner
from metarl.benchmarks.dev_speed.side import ProfiledSide
from metarl.benchmarks.dev_speed.stopwatch import Stopwatch
from metarl.errors import MetarlError

PARTS = ("physics", "rest of the environment", "policy", "update")


class TrainingLoop(ProfiledSide):
    """Updates of a learner; each collects a meta-batch of trials and learns from it.

    The parts are timed in the first process. Its waiting for the other processes counts as part of the update.
    """

    def __init__(self, distribution: str, agent: str, processes: int = 1, **settings: Any) -> None:
        super().__init__(PARTS)
        self.group = DistributedLearner(processes, agent, distribution, settings)
        self.learner: Any = self.group.learner
        self.environment, self.physics = Stopwatch(), Stopwatch()
        trials = self.learner.env
        self.environment.watch(trials, "begin", "step")
        if physics := getattr(trials.environment.simulation, "physics", None):
            self.physics.watch(physics, "step")

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
    """The same in one process with a GRU of torch operations, as on a machine without a C compiler.

    Raises MetarlError where the compiled loops are missing, because then `TrainingLoop` measures the same.
    """

    def __init__(self, distribution: str, agent: str, **settings: Any) -> None:
        if not gru.COMPILED:
            raise MetarlError("the GRU has no compiled loops here: install metarl where there is a C compiler")
        super().__init__(distribution, agent, **settings)

    def work(self) -> int:
        compiled, gru.gru_loops = gru.gru_loops, None
        try:
            return super().work()
        finally:
            gru.gru_loops = compiled
