"""Bare physics: the simulation of one trial of the environment, without the environment.

The cost of a physics step depends on the robot's contacts and so on its states, and random actions take a robot to
other states than no actions. Bare physics therefore simulates the states of the environment. One unmeasured trial of
the environment records its initial states, controls and resting environments. A loop that only writes controls, steps,
and resets at each new episode then replays it, bit for bit. The resets are timed, because every user of the engine
pays for them (0.1 % of the time). Tasks, observations, rewards and episode clocks are the environment's overhead and
are not part of the replay.

The package's robot models declare their possible contacts in advance (envs/robots/floor_contacts.py), and MuJoCo's
timers are stopped (envs/physics/timers.py): the states are the same, and simulation is faster. `StockPhysics` is the
replay without these two measures.

A reward may depend on fields that a plain step does not update. Ant's contact cost depends on contact forces, which
take one more evaluation of the dynamics; `BarePhysics(derived=True)` includes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mujoco import mjtStage
from mujoco.batch import Batch

from metarl.benchmarks.dev_speed.actions import random_actions
from metarl.benchmarks.dev_speed.side import Side
from metarl.envs.physics import timers
from metarl.envs.physics.cpu import CpuPhysics
from metarl.envs.robots.robot import Robot
from metarl.errors import MetarlError
from metarl.runtime.threads import physics_threads
from metarl.tasks.task_distribution import TaskDistribution


@dataclass
class RecordedEpisode:
    """Initial state and controls of one episode slot of a trial."""

    qpos: np.ndarray  # float64 [B, nq], initial
    qvel: np.ndarray  # float64 [B, nv], initial
    steps: list[tuple[np.ndarray, np.ndarray | None]]  # controls [B, nu] and the active mask [B], None if all are


class BarePhysics(Side):
    """`mujoco.batch.Batch.step` on this package's model, replaying one trial.

    derived: also update all fields that the observation and the reward read.
    Raises MetarlError for a world of another engine, and with `derived` where a plain step updates all these fields.
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
            raise MetarlError("no derived fields are read: observation and reward depend on positions and velocities")
        self.qpos, self.qvel, self.ctrl = (tensor.numpy() for tensor in (physics.qpos, physics.qvel, physics.ctrl))
        self.episodes: list[RecordedEpisode] = []
        trials.begin(distribution.tasks("train", num_envs))
        for action in actions:
            if trials.time == 0:
                self.episodes.append(RecordedEpisode(self.qpos.copy(), self.qvel.copy(), []))
            active = ~trials.resting
            ids = None if bool(active.all()) else active.numpy()
            trials.step(action)
            self.episodes[-1].steps.append((self.ctrl.copy(), ids))
            if trials.done:
                break
        masks = [ids for episode in self.episodes for _, ids in episode.steps]
        self.env_steps = sum(num_envs if ids is None else int(ids.sum()) for ids in masks)

    def work(self) -> int:
        for episode in self.episodes:
            self.batch.reset(None, stage=int(mjtStage.mjSTAGE_NONE))  # the next lines write the state
            self.qpos[:] = episode.qpos
            self.qvel[:] = episode.qvel
            for ctrl, ids in episode.steps:
                self.ctrl[:] = ctrl
                self.batch.step(ids, self.frame_skip, self.stage)
        return self.env_steps


class StockPhysics(BarePhysics):
    """The same replay by unmodified MuJoCo: the robot's MJCF without declared contacts, and running timers.

    Raises MetarlError where tasks change the robot's model.
    """

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
