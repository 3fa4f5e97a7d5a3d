"""Rewards of the established distributions against their published equations, in NumPy on MuJoCo's states."""

import copy
from typing import Any

import mujoco
import numpy as np
import pytest
import torch

import metarl
from metarl.core.environment import Environment


def unit(angle):
    return np.array([np.cos(angle), np.sin(angle)])


def contact(data):
    return 5e-4 * (data.cfrc_ext.clip(-1, 1) ** 2).sum()


# distribution -> reward, a function of the task, the velocity, the data after the step and the action clipped to +-1
REWARDS = {
    "HalfCheetahDir": lambda k, v, d, a: k["direction"] * v[0] - 0.05 * a @ a,
    "HalfCheetahDirH100": lambda k, v, d, a: k["direction"] * v[0] - 0.05 * a @ a,
    "HalfCheetahVel": lambda k, v, d, a: -abs(v[0] - k["velocity"]) - 0.05 * a @ a,
    "HalfCheetahVelClassic": lambda k, v, d, a: -abs(v[0] - k["velocity"]) - 0.05 * a @ a,
    "AntDir": lambda k, v, d, a: v[:2] @ unit(k["angle"]) - 0.5 * a @ a - contact(d) + 1,
    "AntDir2D": lambda k, v, d, a: v[:2] @ unit(k["angle"]) - 0.5 * a @ a - contact(d) + 1,
    "AntVel": lambda k, v, d, a: -abs(v[0] - k["velocity"]) + 1 - 0.005 * a @ a - contact(d) + 0.05,
    "AntGoal": lambda k, v, d, a: -np.abs(d.qpos[:2] - k["place"]).sum() - 0.1 * a @ a - contact(d),
    "HumanoidDir": lambda k, v, d, a: (
        1.25 * v[:2] @ unit(k["angle"]) - 0.1 * (0.4 * a) @ (0.4 * a) - min(5e-7 * (d.cfrc_ext**2).sum(), 10) + 5
    ),
    "SwimmerVel": lambda k, v, d, a: -abs(v[0] - k["velocity"]) - 1e-4 * a @ a,
    "HopperRandParams": lambda k, v, d, a: v[0] + 1 - 1e-3 * a @ a,
    "Walker2dRandParams": lambda k, v, d, a: v[0] + 1 - 1e-3 * a @ a,
    "HopperRandParamsClassic": lambda k, v, d, a: v[0] + 1 - 1e-3 * a @ a,
    "Walker2dRandParamsClassic": lambda k, v, d, a: v[0] + 1 - 1e-3 * a @ a,
    "PendulumMass": lambda k, v, d, a: (
        -(((d.qpos[0] + np.pi) % (2 * np.pi) - np.pi) ** 2) - 0.1 * d.qvel[0] ** 2 - 0.001 * (2 * a[0]) ** 2
    ),
    "CartPoleParams": lambda k, v, d, a: float(abs(d.qpos[1]) <= 0.2),
    "ReacherGoal": lambda k, v, d, a: -np.hypot(*(d.body("fingertip").xpos[:2] - k["target"])) - a @ a,
}
TERMINATIONS = {
    "AntDir": lambda q: not 0.2 <= q[2] <= 1.0,
    "AntDir2D": lambda q: not 0.2 <= q[2] <= 1.0,
    "AntVel": lambda q: not 0.2 <= q[2] <= 1.0,
    "HumanoidDir": lambda q: not 1.0 <= q[2] <= 2.0,
    "HopperRandParams": lambda q: q[1] <= 0.7 or abs(q[2]) >= 0.2,
    "Walker2dRandParams": lambda q: not 0.8 < q[1] < 2.0 or abs(q[2]) >= 1,
    "HopperRandParamsClassic": lambda q: q[1] <= 0.7 or abs(q[2]) >= 0.2,
    "Walker2dRandParamsClassic": lambda q: not 0.8 < q[1] < 2.0 or abs(q[2]) >= 1,
    "CartPoleParams": lambda q: abs(q[1]) > 0.2,
}
DT = {"HalfCheetahDir": 0.05, "AntDir": 0.05, "HumanoidDir": 0.015, "HopperRandParams": 0.016, "PendulumMass": 0.05}


@pytest.mark.parametrize("name", REWARDS)
def test_rewards_equal_the_published_equations(name):
    """Compare 40 steps of one of three environments with a plain MuJoCo simulation, also after terminations."""
    distribution = metarl.get(name)
    tasks = distribution.tasks("train", 3)
    env: Any = Environment(distribution, 3)
    env.assign(tasks)
    env.seed(0)
    env.reset()
    physics = env.simulation.physics
    model, data = physics.single(1)
    model, data = copy.copy(model), copy.copy(data)
    place = (lambda d: d.subtree_com[1]) if name == "HumanoidDir" else (lambda d: d.qpos)
    task = {n: values[1] for n, values in tasks.params.items()}
    middle, half = model.actuator_ctrlrange.mean(1), np.diff(model.actuator_ctrlrange)[:, 0] / 2
    if name in DT:
        assert physics.dt == pytest.approx(DT[name])
    for action in np.random.default_rng(0).uniform(-1.3, 1.3, (40, 3, model.nu)).astype(np.float32):
        step = env.step(torch.from_numpy(action))
        before, clipped = place(data).copy(), action[1].clip(-1, 1).astype(np.float64)
        data.ctrl[:] = middle + half * clipped
        mujoco.mj_step(model, data, nstep=round(physics.dt / model.opt.timestep))
        fresh = copy.copy(data)
        mujoco.mj_forward(model, fresh)
        mujoco.mj_rnePostConstraint(model, fresh)
        if name == "HumanoidDir":
            data.subtree_com[:] = fresh.subtree_com
        expected = REWARDS[name](task, (place(data) - before) / physics.dt, fresh, clipped)
        np.testing.assert_allclose(step.reward[1], expected, rtol=1e-4, atol=1e-5)
        assert bool(step.terminated[1]) == bool(TERMINATIONS.get(name, lambda qpos: False)(data.qpos))


def test_all_established_distributions_are_compared():
    from metarl.envs.catalogue.robots import ROBOTS

    assert {d.name for d in ROBOTS} - REWARDS.keys() == {"PointGoalSparse"}  # in tests/envs/test_robots.py
    assert all(d.horizon == 200 and d.episodes == 2 for d in ROBOTS if d.name in TERMINATIONS)


def test_challenges_have_all_splits_and_a_description():
    from metarl.envs.catalogue.challenges import CHALLENGES

    assert len(CHALLENGES) >= 12
    for distribution in CHALLENGES:
        assert distribution.splits == ("train", "valid", "test", "ood"), distribution.name
        assert distribution.tests
