"""One meta-iteration of a MAML agent, profiled by parts."""

from __future__ import annotations

import time
from dataclasses import fields
from typing import Any

from metarl import registry
from metarl.benchmarks.dev_speed.side import ProfiledSide
from metarl.benchmarks.dev_speed.stopwatch import Stopwatch
from metarl.errors import MetarlError
from metarl.tasks.task_distribution import TaskDistribution

PARTS = ("sampling", "inner steps", "outer steps")


class MetaIteration(ProfiledSide):
    """Updates of a MAML preset: sampling, an inner step of all tasks, sampling again, and the outer steps.

    Raises MetarlError for any other agent.
    """

    def __init__(self, distribution: TaskDistribution, agent: str, **settings: Any) -> None:
        super().__init__(PARTS)
        agent_type = registry.find("agent", agent)
        if "meta_batch_size" not in {f.name for f in fields(agent_type.settings)}:
            raise MetarlError(f"the agent {agent!r} has no meta-iteration: choose a MAML preset such as promp or maml")
        self.learner: Any = agent_type.learner(distribution, agent_type.settings(**settings), 0, "cpu")
        self._adapt = Stopwatch()
        self._adapt.watch(self.learner.policy, "adapt")
        self._outer_step, self.learner.outer.step = self.learner.outer.step, self._timed_outer_step

    def work(self) -> int:
        before, start = self.learner.env_steps, time.perf_counter()
        self._adapt.clear()
        self._outer = self._inner = 0.0
        self.learner.update()
        whole = time.perf_counter() - start
        for name, seconds in zip(PARTS, (whole - self._inner - self._outer, self._inner, self._outer), strict=True):
            self.seconds[name] += seconds
        return self.learner.env_steps - before

    def close(self) -> None:
        self.learner.env.close()

    def _timed_outer_step(self, batches: Any, tasks: Any) -> Any:
        self.batches = batches  # adaptation batches of the last meta-batch, which `MetaUpdate` differentiates again
        self._inner, start = self._adapt.seconds, time.perf_counter()  # later adaptation belongs to the outer steps
        try:
            return self._outer_step(batches, tasks)
        finally:
            self._outer = time.perf_counter() - start
