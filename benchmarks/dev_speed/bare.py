"""The yardstick: the physics of a trial of our environment, and nothing else.

Random actions carry a robot from its start into other states, whose contacts cost more or less; so "bare" must
simulate the same states. A trial of our own environment is lived through once, unmeasured; its start states, controls
and rests are kept; and then the same batch of simulations is put through them again, to the bit, by a loop that only
writes controls, steps, and at each new episode resets. Those resets are inside the clock: any user of the engine pays
them (0.1 % of the time). Tasks, observations, rewards and clocks are not: they are what our environment adds.

Our model is told beforehand which contacts there can be (envs/robots/floor_contacts.py) and MuJoCo's stopwatch is
stopped (envs/physics/timers.py): the states are the same, sooner. `StockPhysics` is the replay without either.

A reward may need what a plain step leaves uncomputed at the state it leads to: Ant pays for contact forces, which take
a whole further evaluation of the dynamics. The same replay with that evaluation shows how much of the time it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mujoco import mjtStage
from mujoco.batch import Batch

from metarl.benchmarks.dev_speed.actions import random_actions
from metarl.benchmarks.dev_speed.timing import Side
from metarl.envs.physics import timers
from metarl.envs.physics.cpu import CpuPhysics
from metarl.envs.robots.robot import Robot
from metarl.errors import MetarlError
from metarl.runtime.threads import physics_threads
from metarl.tasks.task_distribution import TaskDistribution


@dataclass
class Episode:
    """One slot of a trial, as the physics saw it."""

    qpos: np.ndarray  # float64 [B, nq], the start
    qvel: np.ndarray  # float64 [B, nv]
    moves: list[tuple[np.ndarray, np.ndarray | None]]  # controls [B, nu], and who was stepped (None: everyone)


class BarePhysics(Side):
    """`mujoco.batch.Batch.step` on our model, replaying one trial; with all that is read of it, if asked to.

    Raises MetarlError for a world of another engine, and `derived` where a plain step computes all that is read.
    """

    def __init__(self, distribution: TaskDistribution, num_envs: int, derived: bool = False) -> None:
        trials = distribution.make(num_envs)
        physics: Any = getattr(trials.environment.simulation, "physics", None)
        if not isinstance(physics, CpuPhysics):
            raise MetarlError(f"the world {distribution.world!r} is not simulated by mujoco.batch")
        actions = torch.from_numpy(random_actions(trials.action_space, trials.horizon * trials.episodes, num_envs))
        self.batch: Batch = physics.batch
        self.frame_skip = physics.frame_skip
        self.stage = physics.stage if derived else int(mjtStage.mjSTAGE_NONE)
        if derived and self.stage == mjtStage.mjSTAGE_NONE:
            raise MetarlError("none are read: observation and reward are made of positions and velocities")
        self.qpos, self.qvel, self.ctrl = (tensor.numpy() for tensor in (physics.qpos, physics.qvel, physics.ctrl))
        self.episodes: list[Episode] = []
        trials.begin(distribution.tasks("train", num_envs))
        for action in actions:
            if trials.time == 0:
                self.episodes.append(Episode(self.qpos.copy(), self.qvel.copy(), []))
            active = ~trials.resting
            ids = None if bool(active.all()) else active.numpy()
            trials.step(action)
            self.episodes[-1].moves.append((self.ctrl.copy(), ids))
            if trials.done:
                break
        moves = [ids for episode in self.episodes for _, ids in episode.moves]
        self.steps = sum(num_envs if ids is None else int(ids.sum()) for ids in moves)

    def work(self) -> int:
        for episode in self.episodes:
            self.batch.reset(None, stage=int(mjtStage.mjSTAGE_NONE))  # the state is written next
            self.qpos[:] = episode.qpos
            self.qvel[:] = episode.qvel
            for ctrl, ids in episode.moves:
                self.ctrl[:] = ctrl
                self.batch.step(ids, self.frame_skip, self.stage)
        return self.steps


class StockPhysics(BarePhysics):
    """The same replay by MuJoCo as it comes: the robot's MJCF as it stands, and the engine's stopwatch running."""

    def __init__(self, distribution: TaskDistribution, num_envs: int) -> None:
        super().__init__(distribution, num_envs)
        robot = distribution.simulated_world
        if not isinstance(robot, Robot) or robot.configured(distribution.world_config)[0]:
            raise MetarlError("its tasks change the robot's model: there is no one model to step")
        self.batch = Batch(robot.spec().compile(), num_envs, nthread=min(physics_threads(), num_envs))
        self.qpos, self.qvel, self.ctrl = (self.batch.bind(name) for name in ("qpos", "qvel", "ctrl"))

    def work(self) -> int:
        with timers.running():
            return super().work()
