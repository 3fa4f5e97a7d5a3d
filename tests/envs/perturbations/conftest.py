"""Fixtures that compare perturbations with plain MuJoCo simulations of models edited by hand."""

from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
import pytest
import torch

import metarl
from metarl.core.trials import Trials


@pytest.fixture
def make_distribution() -> Callable[..., metarl.TaskDistribution]:
    """make_distribution(parameters, world="HalfCheetah", horizon=40): a distribution with the goal of 1 m/s."""

    def make(parameters, world="HalfCheetah", horizon=40, **more):
        goal = {"velocity": metarl.Fixed(1.0)}
        return metarl.TaskDistribution(
            "TestPerturbed", world=world, goal="velocity", parameters={**goal, **parameters}, horizon=horizon, **more
        )

    return make


@pytest.fixture
def actions() -> Callable[[Trials, int], torch.Tensor]:
    """actions(env, T): random actions [T, B, nu], some out of bounds."""

    def draw(env, steps):
        g = torch.Generator().manual_seed(7)
        return torch.rand(steps, env.num_envs, *env.action_space.shape, generator=g) * 3 - 1.5

    return draw


def as_written(mjcf) -> mujoco.MjModel:
    """Compile an MJCF without the transformations of `Robot.model`."""
    text = str(mjcf)
    return mujoco.MjModel.from_xml_string(text) if "<" in text else mujoco.MjModel.from_xml_path(text)


@pytest.fixture
def assert_moves_like(actions) -> Callable[..., None]:
    """assert_moves_like(d, edit): compare each environment with a single MjData on an edited model.

    `edit(model, task)` changes the compiled model in place, or returns another model.
    """

    def check(d: metarl.TaskDistribution, edit: Callable[..., Any], steps: int = 30, tol: float = 0.0, B: int = 3):
        env, tasks = d.make(B), d.tasks("train", B)
        env.begin(tasks, seed=1)
        physics = env.environment.simulation.physics  # type: ignore[attr-defined]
        for name in set(d.parameters) - {"velocity"}:
            assert len({str(tasks.task(i)[name]) for i in range(B)}) > 1, name
        pairs = []
        for i in range(B):
            model = as_written(d.simulated_world.mjcf)  # type: ignore[attr-defined]
            model = edit(model, {n: np.asarray(v) for n, v in tasks.task(i).items()}) or model
            data = mujoco.MjData(model)
            mujoco.mj_setConst(model, data)
            mujoco.mj_resetData(model, data)
            data.qpos[:], data.qvel[:] = physics.qpos[i], physics.qvel[i]
            pairs.append((model, data))
        for action in actions(env, steps):
            env.step(action)
            for i, (model, data) in enumerate(pairs):
                data.ctrl[:] = physics.ctrl[i]
                mujoco.mj_step(model, data, nstep=physics.frame_skip)
                np.testing.assert_allclose(physics.qpos[i], data.qpos, rtol=0, atol=tol)
                np.testing.assert_allclose(physics.qvel[i], data.qvel, rtol=0, atol=tol)

    return check


@pytest.fixture
def assert_neutral(actions) -> Callable[..., None]:
    """assert_neutral(d): compare the robot under neutral values of all parameters with the unperturbed robot."""

    def check(d: metarl.TaskDistribution, steps: int = 25):
        values = {name: spec.neutral for name, spec in d.specs.items()} | {"velocity": 1.0}
        unperturbed = metarl.TaskDistribution(
            "TestPlain", world=d.world, goal="velocity", parameters={"velocity": metarl.Fixed(1.0)}, horizon=d.horizon
        )
        env, reference = d.make(2), unperturbed.make(2)
        assert torch.equal(env.begin(values), reference.begin({"velocity": 1.0}))
        for action in actions(env, steps):
            assert all(torch.equal(x, y) for x, y in zip(env.step(action), reference.step(action), strict=True))

    return check
