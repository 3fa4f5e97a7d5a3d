"""Throughput by batch size: the bare engine, the environment, the environment with varied bodies, and training.

All sides but training simulate the same: random actions, episodes that only the horizon ends, and the same initial
states in each episode. The bare engine is measured as in `mjwarp-testspeed`, by replays of a captured physics step.
Unlike there, the device is synchronised after several steps instead of after each, which makes the bare engine faster.
Compilation and capture are timed separately. Training is whole updates of trials on new tasks.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import gcd
from typing import Any

import torch

from metarl import registry
from metarl.benchmarks.commands.speed import device_actions, synchronize
from metarl.benchmarks.dev_speed.side import Side
from metarl.benchmarks.dev_speed.variation import VARIED, with_varied_physics
from metarl.core.environment import Environment
from metarl.errors import MetarlError
from metarl.runtime import free_memory
from metarl.runtime.timing import Rate, Sample, measure, summarize, take_turns
from metarl.tasks.task_distribution import TaskDistribution

ACTIONS = 16  # batches of actions drawn in advance; one call of `work` applies each of them once
EVERY_FIELD = (*VARIED, "gravity")


@dataclass(frozen=True)
class Measured:
    """One side at one batch size."""

    distribution: str
    num_envs: int
    side: str  # bare, environment, varied, rl2, promp
    samples: list[Sample]
    compile_seconds: float  # time to make it, compile it and capture its graphs

    @property
    def rate(self) -> Rate:
        return summarize(self.samples)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), **asdict(self.rate)}


class DeviceSide(Side):
    """A side that is compiled and captured during its first calls of `work`."""

    warm_up_calls = 4

    def warm_up(self) -> None:
        for _ in range(self.warm_up_calls):
            self.work()


class DeviceEnvironment(DeviceSide):
    """Steps and masked restarts of an `Environment`, whose tasks are assigned in advance."""

    def __init__(self, distribution: TaskDistribution, num_envs: int, device: str, engine: str | None) -> None:
        d = _until_horizon(distribution)
        self.env = Environment(d, num_envs, device, engine)
        self.actions = device_actions(self.env, ACTIONS)
        self.env.assign(d.tasks("train", num_envs))
        self.env.seed(0)
        self.env.reset()

    def work(self) -> int:
        env = self.env
        for action in self.actions:
            step = env.step(action)
            env.reset(step.terminated | step.truncated)
        synchronize(env.device)
        return len(self.actions) * env.num_envs

    def close(self) -> None:
        self.env.close()


def _until_horizon(d: TaskDistribution) -> TaskDistribution:
    """Return the distribution with episodes that continue after a fall, as the bare engine does."""
    return d if d.goal is None else replace(d, settings={**d.settings, "fall_ends": False})


class BareEngine(DeviceSide):
    """MuJoCo Warp's physics steps under the same controls; all worlds return to the initial states at each horizon.

    Raises MetarlError for a world of another engine.
    """

    def __init__(self, distribution: TaskDistribution, num_envs: int, device: str, engine: str | None) -> None:
        from metarl.envs.physics.warp import WarpPhysics, mjw
        from metarl.envs.physics.warp_graphs import WarpGraph

        side = DeviceEnvironment(distribution, num_envs, device, engine)
        physics: Any = getattr(side.env.simulation, "physics", None)
        if not isinstance(physics, WarpPhysics):
            raise MetarlError(f"the world {distribution.world!r} is not simulated by MuJoCo Warp")
        self.physics, self.horizon, self.time = physics, distribution.horizon, 0
        self.start = physics.qpos.clone(), physics.qvel.clone()
        low, high = torch.tensor(physics.model.actuator_ctrlrange.T, dtype=torch.float32, device=physics.device)
        self.controls = [(low + high) / 2 + (high - low) / 2 * action for action in side.actions]
        self.launch = WarpGraph(lambda: mjw.step(physics.device_model, physics.device_data), physics.device)

    def work(self) -> int:
        physics = self.physics
        for ctrl in self.controls:
            if self.time % self.horizon == 0:
                physics.qpos.copy_(self.start[0])
                physics.qvel.copy_(self.start[1])
            self.time += 1
            physics.ctrl.copy_(ctrl)
            for _ in range(physics.frame_skip):
                self.launch()
        synchronize(physics.device)
        return len(self.controls) * physics.num_envs


class Training(DeviceSide):
    """An agent's updates with the device's engine. Raises MetarlError where they do not fit into memory."""

    warm_up_calls = 2  # a trial of two episodes resets twice, and the third reset is captured

    def __init__(self, agent: str, distribution: TaskDistribution, device: str, **settings: Any) -> None:
        agent_type = registry.find("agent", agent)
        assert agent_type.learner is not None
        self.device = torch.device(device)
        chosen = agent_type.settings(**settings)
        self.learner: Any = agent_type.learner(_until_horizon(distribution), chosen, 0, device)
        if (free := free_memory.free(device)) is not None:
            self.learner.check_memory(free)

    def work(self) -> int:
        before = self.learner.env_steps
        self.learner.update()
        synchronize(self.device)
        return self.learner.env_steps - before

    def close(self) -> None:
        self.learner.env.close()


def _training_sides(
    d: TaskDistribution, num_envs: int, device: str, rl2: dict[str, Any]
) -> dict[str, Callable[[], Side]]:
    """Return functions that make the training sides, by name.

    rl2: settings of RL². ProMP has 20 rollouts per task, or more where 20 does not divide num_envs.
    """
    rl2 = {**rl2, "num_envs": num_envs, "minibatches": gcd(4, num_envs)}
    tasks = max(n for n in range(1, max(1, num_envs // 20) + 1) if num_envs % n == 0)
    return {
        "rl2": partial(Training, "rl2", d, device, **rl2),
        "promp": partial(Training, "promp", d, device, num_envs=num_envs, meta_batch_size=tasks),
    }  # fmt: skip


def measure_sizes(
    distributions: dict[str, TaskDistribution], sizes: tuple[int, ...], device: str, engine: str | None,
    rounds: int, seconds: float, log: Callable[[str], None], rl2: dict[str, Any] | None = None,
) -> Iterator[list[Measured]]:  # fmt: skip
    """Yield the measurements of all sides of one distribution and batch size; these sides take turns.

    rl2: also measure training, RL² with these settings and ProMP; only with the device's default engine. Training that
    fails, for example for lack of memory, is left out at that size. log: called with progress messages.
    """
    for name, distribution in distributions.items():
        for num_envs in sizes:
            log(f"{name}, {num_envs}")
            makers = {side: partial(make, num_envs, device, engine) for side, make in _sides(distribution).items()}
            training = {}
            if rl2 is not None and engine is None:
                training = _training_sides(distribution, num_envs, device, rl2)
            measured = _take_turns({**makers, **training}, set(training), rounds, seconds, log)
            yield [Measured(name, num_envs, side, *of_side) for side, of_side in measured.items()]
            gc.collect()  # environments and their graphs refer to one another
            if device == "cuda":
                torch.cuda.empty_cache()


def _take_turns(
    makers: dict[str, Callable[[], Side]], may_fail: set[str], rounds: int, seconds: float, log: Callable[[str], None]
) -> dict[str, tuple[list[Sample], float]]:
    """Return each side's samples and the time to make it and warm it up."""
    compile_seconds: dict[str, float] = {}
    sides: dict[str, Side] = {}
    samples: dict[str, list[Sample]] = {name: [] for name in makers}

    @contextmanager
    def or_left_out(name: str) -> Iterator[None]:
        try:
            yield
        except (MetarlError, RuntimeError) as error:
            if name not in may_fail:
                raise
            log(f"left out: {name}: {error}")
            sides.pop(name, None)

    for name, make in makers.items():
        with or_left_out(name):
            start = time.perf_counter()
            sides[name] = make()
            sides[name].warm_up()
            compile_seconds[name] = time.perf_counter() - start
    for name in take_turns(list(sides), rounds):
        if name in sides:
            with or_left_out(name):
                samples[name].append(measure(sides[name].work, seconds))
    for side in sides.values():
        side.close()
    return {name: (samples[name], compile_seconds[name]) for name in sides}


def _sides(d: TaskDistribution) -> dict[str, Callable[[int, str, str | None], Side]]:
    if d.goal is None:  # games have no physics engine
        return {"environment": lambda num_envs, device, _: DeviceEnvironment(d, num_envs, device, None)}
    varied = with_varied_physics(d, EVERY_FIELD)
    return {
        "bare": lambda *where: BareEngine(d, *where),
        "environment": lambda *where: DeviceEnvironment(d, *where),
        "varied": lambda *where: DeviceEnvironment(varied, *where),
    }
