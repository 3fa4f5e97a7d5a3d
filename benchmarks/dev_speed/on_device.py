"""`metarl speed --device cuda`: by size, bare engine, our environment, the same with bodies that differ, and training.

All sides simulate the same: random actions, no end but the horizon, from the same start states in each episode. The
bare engine is measured as `mjwarp-testspeed` does it, by replays of a captured physics step, but is waited for at the
end of a unit of work alone, not after each step, which it gains by. Compiling and recording are timed apart. Training
is whole updates of trials on new tasks.
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

import gymnasium as gym
import torch
from torch import Tensor

from metarl import registry
from metarl.benchmarks.dev_speed.timing import Rate, Sample, Side, measure, summary, take_turns
from metarl.benchmarks.dev_speed.variation import VARIED, with_varied_physics
from metarl.core.environment import Environment
from metarl.errors import MetarlError
from metarl.runtime import free_memory
from metarl.tasks.task_distribution import TaskDistribution

ACTIONS = 16  # drawn before the clock starts, and gone through again and again
RECORDED = 4  # steps after which everything is compiled and captured
EVERY_FIELD = (*VARIED, "gravity")


@dataclass(frozen=True)
class Measured:
    """One side at one size."""

    distribution: str
    num_envs: int
    side: str  # bare, environment, varied, rl2, rl2-captured, promp
    samples: list[Sample]
    compile_seconds: float  # making, compiling, recording: what happens once

    @property
    def rate(self) -> Rate:
        return summary(self.samples)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), **asdict(self.rate)}


class OnDevice(Side):
    """What compiles and records in its first units of work."""

    first = RECORDED  # how many

    def warm_up(self) -> None:
        for _ in range(self.first):
            self.work()


class OurEnvironment(OnDevice):
    """Steps and masked restarts of an `Environment`, whose tasks were given before the clock started."""

    def __init__(self, distribution: TaskDistribution, num_envs: int, device: str, engine: str | None) -> None:
        d = _until_horizon(distribution)
        self.env = Environment(d, num_envs, device, engine)
        self.actions = device_actions(self.env)
        self.env.assign(d.tasks("train", num_envs))
        self.env.seed(0)
        self.env.reset()

    def work(self) -> int:
        env = self.env
        for action in self.actions:
            step = env.step(action)
            env.reset(step.terminated | step.truncated)
        wait(env.device)
        return len(self.actions) * env.num_envs

    def close(self) -> None:
        self.env.close()


def _until_horizon(d: TaskDistribution) -> TaskDistribution:
    """A robot that has fallen is simulated on, as by the bare engine."""
    return d if d.goal is None else replace(d, settings={**d.settings, "fall_ends": False})


class BareEngine(OnDevice):
    """WarpGraph physics steps of MuJoCo Warp under the same controls; all worlds start anew at each horizon."""

    def __init__(self, distribution: TaskDistribution, num_envs: int, device: str, engine: str | None) -> None:
        from metarl.envs.physics.warp import WarpPhysics, mjw
        from metarl.envs.physics.warp_graphs import WarpGraph

        side = OurEnvironment(distribution, num_envs, device, engine)
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
        wait(physics.device)
        return len(self.controls) * physics.num_envs


class Learning(OnDevice):
    """An agent's updates on the engine of the device; MetarlError where they do not fit."""

    first = 2  # a trial of two slots resets twice, and the third reset is captured

    def __init__(self, agent: str, distribution: TaskDistribution, device: str, **settings: Any) -> None:
        kind = registry.find("agent", agent)
        assert kind.learner is not None
        self.device = torch.device(device)
        self.learner: Any = kind.learner(_until_horizon(distribution), kind.settings(**settings), 0, device)
        if (free := free_memory.free(device)) is not None:
            self.learner.check_memory(free)

    def work(self) -> int:
        before = self.learner.env_steps
        self.learner.update()
        wait(self.device)
        return self.learner.env_steps - before

    def close(self) -> None:
        self.learner.env.close()


def learners(d: TaskDistribution, num_envs: int, device: str, rl2: dict[str, Any]) -> dict[str, Callable[[], Side]]:
    """What trains, by name. rl2: its settings; ProMP has 20 rollouts a task, or some more."""
    rl2 = {**rl2, "num_envs": num_envs, "minibatches": gcd(4, num_envs)}
    tasks = max(n for n in range(1, max(1, num_envs // 20) + 1) if num_envs % n == 0)
    return {
        "rl2": partial(Learning, "rl2", d, device, **rl2),
        "promp": partial(Learning, "promp", d, device, num_envs=num_envs, meta_batch_size=tasks),
    }  # fmt: skip


def device_actions(env: Environment) -> list[Tensor]:
    """Random ones, on the environment's device."""
    g = torch.Generator(env.device).manual_seed(0)
    if isinstance(env.action_space, gym.spaces.Discrete):
        shape = (ACTIONS, env.num_envs)
        return list(torch.randint(int(env.action_space.n), shape, generator=g, device=env.device))
    shape = (ACTIONS, env.num_envs, *env.action_space.shape)
    return list(torch.rand(shape, generator=g, device=env.device) * 2 - 1)


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure_sizes(
    distributions: dict[str, TaskDistribution], sizes: tuple[int, ...], device: str, engine: str | None,
    rounds: int, seconds: float, say: Callable[[str], None], rl2: dict[str, Any] | None = None,
) -> Iterator[list[Measured]]:  # fmt: skip
    """Every side of every distribution, size by size; the sides of one size take turns.

    rl2: measure training, too, RL² with these settings; on the device's own engine alone. What cannot train at a size,
    for want of memory say, is left out there.
    """
    for name, distribution in distributions.items():
        for num_envs in sizes:
            say(f"{name}, {num_envs}")
            kinds = {kind: partial(make, num_envs, device, engine) for kind, make in _kinds(distribution).items()}
            training = {} if rl2 is None or engine is not None else learners(distribution, num_envs, device, rl2)
            found = _take_turns({**kinds, **training}, set(training), rounds, seconds, say)
            yield [Measured(name, num_envs, kind, *of) for kind, of in found.items()]
            gc.collect()  # environments and their graphs refer to one another
            if device == "cuda":
                torch.cuda.empty_cache()


def _take_turns(
    kinds: dict[str, Callable[[], Side]], may_fail: set[str], rounds: int, seconds: float, say: Callable[[str], None]
) -> dict[str, tuple[list[Sample], float]]:
    """The samples of each side, and how long it took to begin."""
    began: dict[str, float] = {}
    sides: dict[str, Side] = {}
    samples: dict[str, list[Sample]] = {kind: [] for kind in kinds}

    @contextmanager
    def or_left_out(kind: str) -> Iterator[None]:
        try:
            yield
        except (MetarlError, RuntimeError) as error:
            if kind not in may_fail:
                raise
            say(f"left out: {kind}: {error}")
            sides.pop(kind, None)

    for kind, make in kinds.items():
        with or_left_out(kind):
            start = time.perf_counter()
            sides[kind] = make()
            sides[kind].warm_up()
            began[kind] = time.perf_counter() - start
    for kind in take_turns(list(sides), rounds):
        if kind in sides:
            with or_left_out(kind):
                samples[kind].append(measure(sides[kind], seconds))
    for side in sides.values():
        side.close()
    return {kind: (samples[kind], began[kind]) for kind in sides}


def _kinds(d: TaskDistribution) -> dict[str, Callable[[int, str, str | None], Side]]:
    if d.goal is None:  # a game has no engine
        return {"environment": lambda num_envs, device, _: OurEnvironment(d, num_envs, device, None)}
    varied = with_varied_physics(d, EVERY_FIELD)
    return {
        "bare": lambda *how: BareEngine(d, *how),
        "environment": lambda *how: OurEnvironment(d, *how),
        "varied": lambda *how: OurEnvironment(varied, *how),
    }
