"""Robots that equal a Gymnasium environment, and the correspondence of their states and rewards."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest

import metarl
from metarl.core.environment import Environment


@pytest.fixture
def make() -> Callable[..., Any]:
    """make(world, goal, parameters, num_envs=1, **settings): environments of one fixed task, reset with seed 0."""

    def make_env(
        world: str, goal: str, parameters: Mapping[str, Any], num_envs: int = 1, seed: int = 0, **settings: Any
    ) -> Environment:
        samplers = {name: metarl.Fixed(value) for name, value in parameters.items()} | {"gravity": metarl.Fixed(1.0)}
        distribution = metarl.TaskDistribution(
            "TestRobot", world=world, goal=goal, parameters=samplers, settings=settings, horizon=1000
        )
        env = Environment(distribution, num_envs)
        env.assign(distribution.tasks())
        env.seed(seed)
        env.reset()
        return env

    return make_env


@dataclass(frozen=True)
class Twin:
    """A robot of metarl and the Gymnasium environment that it equals."""

    robot: str
    gymnasium: str
    goal: str
    obs: Callable[[mujoco.MjData], list[np.ndarray]]  # metarl's observation, from Gymnasium's state
    terms: Mapping[str, str]  # metarl's reward term -> Gymnasium's
    task: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    scale: float = 1.0  # Gymnasium's control at an action of 1
    joints: slice = field(default_factory=lambda: slice(None))  # those of Gymnasium's joints that metarl has

    def theirs(self, physics: Any = None, solver: str = "newton") -> Any:
        """Return Gymnasium's environment, in the state of the first simulation of `physics` if that is given.

        solver: "newton" replaces the solver; Gymnasium's Humanoid uses PGS.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            env: Any = gym.make(self.gymnasium).unwrapped
        if solver == "newton":
            env.model.opt.solver, env.model.opt.iterations = mujoco.mjtSolver.mjSOL_NEWTON, 100
        env.reset(seed=0)
        if physics is not None:
            qpos, qvel = env.data.qpos.copy(), 0 * env.data.qvel
            qpos[self.joints], qvel[self.joints] = physics.qpos[0], physics.qvel[0]
            env.set_state(qpos, qvel)
        return env

    def actions(self, steps: int, seed: int = 0) -> np.ndarray:
        """Draw uniform actions, float32 [steps, motors]."""
        size = metarl.registry.find("world", self.robot).model.nu
        return np.random.default_rng(seed).uniform(-1, 1, (steps, size)).astype(np.float32)

    @staticmethod
    def current_data(theirs: Any) -> mujoco.MjData:
        """Return Gymnasium's data, recomputed at its state; after a step it is that of the integrator's last stage."""
        data = copy.copy(theirs.data)
        mujoco.mj_forward(theirs.model, data)
        mujoco.mj_rnePostConstraint(theirs.model, data)
        return data


def planar(data: mujoco.MjData) -> list[np.ndarray]:
    return [data.qpos[1:], data.qvel.clip(-10, 10)]


def free(data: mujoco.MjData) -> list[np.ndarray]:
    return [data.qpos[2:], data.qvel]


def ant(data: mujoco.MjData) -> list[np.ndarray]:
    return [*free(data), data.qpos[:2], data.cfrc_ext[1:].ravel().clip(-1, 1)]


def humanoid(data: mujoco.MjData) -> list[np.ndarray]:
    bodies = [x[1:].ravel() for x in (data.cinert, data.cvel)]
    return [*free(data), *bodies, data.qfrc_actuator[6:], data.cfrc_ext[1:].ravel()]


def reacher(data: mujoco.MjData) -> list[np.ndarray]:
    return [np.cos(data.qpos[:2]), np.sin(data.qpos[:2]), data.qvel[:2], data.body("fingertip").xpos[:2]]


CONTROL = {"control": "reward_ctrl"}
RUN = {"advance": "reward_forward", **CONTROL}
TWINS = [
    Twin("Ant", "Ant-v5", "direction2d", ant, CONTROL, {"angle": 0.0},
         {"observation": ("position", "velocity", "place", "contact")}),
    Twin("Hopper", "Hopper-v5", "advance", planar, RUN),
    Twin("Walker2d", "Walker2d-v5", "advance", planar, RUN),
    Twin("Humanoid", "Humanoid-v5", "direction2d", humanoid, CONTROL, {"angle": 0.0},
         {"observation": ("position", "velocity", "inertia", "body_velocity", "torque", "contact")}, scale=0.4),
    Twin("Swimmer", "Swimmer-v5", "advance", free, RUN),
    Twin("Reacher", "Reacher-v5", "reach", reacher, CONTROL, {"target": (0.1, -0.1)}, joints=slice(2)),
    Twin("CartPole", "InvertedPendulum-v5", "balance", lambda data: [data.qpos, data.qvel],
         {"balance": "reward_survive"}, {"tolerance": 0.2}, scale=3.0),
]  # fmt: skip


@pytest.fixture(params=TWINS, ids=lambda twin: twin.robot)
def twin(request: pytest.FixtureRequest) -> Twin:
    return request.param


@pytest.fixture
def twins() -> dict[str, Twin]:
    return {twin.robot: twin for twin in TWINS}
