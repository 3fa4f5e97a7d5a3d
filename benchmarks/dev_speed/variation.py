"""The cost of physics that differ between environments, and of assigning new tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from metarl.benchmarks.dev_speed.side import Side
from metarl.core.environment import Environment
from metarl.errors import MetarlError
from metarl.tasks.parameter import Parameter
from metarl.tasks.samplers import Fixed, LogUniform, Sampler
from metarl.tasks.task_distribution import TaskDistribution

VARIED = ("body_mass_scale", "dof_damping_scale", "friction", "motor_strength")
ASSIGNMENTS = 20  # assignments of tasks to all environments in one call of `NewTasks.work`


def with_neutral_physics(distribution: TaskDistribution) -> TaskDistribution:
    """Return the distribution with one model per environment and neutral masses, damping, friction and strength."""
    return _with(distribution, lambda parameter: Fixed(np.asarray(parameter.neutral)))


def with_varied_physics(distribution: TaskDistribution, names: tuple[str, ...] = VARIED) -> TaskDistribution:
    """Return the distribution with these parameters drawn log-uniformly from [0.5, 2]."""
    return _with(distribution, lambda parameter: LogUniform(0.5, 2.0, shape=parameter.shape), names)


def _with(
    distribution: TaskDistribution, sampler: Callable[[Parameter], Sampler], names: tuple[str, ...] = VARIED
) -> TaskDistribution:
    known: dict[str, Parameter] = {
        p.name: p for p in distribution.simulated_world.parameters(distribution.world_config)
    }
    if missing := [name for name in names if name not in known]:
        raise MetarlError(f"the world {distribution.world!r} has no {missing[0]} to vary")
    samplers: dict[str, Sampler] = {name: sampler(known[name]) for name in names if name not in distribution.specs}
    return replace(distribution, parameters={**distribution.parameters, **samplers}, ood={})


class NewTasks(Side):
    """Repeated assignment of new tasks, drawn in advance, to all environments. One assigned task counts as a step."""

    def __init__(self, distribution: TaskDistribution, num_envs: int) -> None:
        varied = with_varied_physics(distribution)
        self.env = Environment(varied, num_envs)
        self.tasks = [varied.tasks("train", num_envs, seed) for seed in range(ASSIGNMENTS)]

    def work(self) -> int:
        for tasks in self.tasks:
            self.env.assign(tasks)
        return len(self.tasks) * self.env.num_envs

    def close(self) -> None:
        self.env.close()
