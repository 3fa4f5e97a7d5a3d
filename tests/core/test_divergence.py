"""A diverged simulation is flagged, ends its episode with reward 0, and leaves other environments unchanged."""

from dataclasses import replace
from typing import Any

import pytest
import torch

import metarl
from metarl.core.environment import Environment
from metarl.core.simulation import DIVERGED
from metarl.envs.physics import Physics

BLOW_UPS = {
    "qvel 1e12": lambda physics: physics.qvel[1].fill_(1e12),
    "qvel NaN": lambda physics: physics.qvel[1].fill_(float("nan")),
    "qpos infinite": lambda physics: physics.qpos[1, 0].fill_(float("inf")),
    "qpos NaN": lambda physics: physics.qpos[1].fill_(float("nan")),
}
OTHERS = [0, 2]


def physics_of(env: Any) -> Physics:
    return getattr(env, "environment", env).simulation.physics


@pytest.fixture(autouse=True)
def _log_to_tmp_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes MUJOCO_LOG.TXT to the working directory


@pytest.fixture(params=["HalfCheetahVel", "TestFalling"])
def distribution(request, falling_robot):
    return replace(metarl.get(request.param), horizon=12)


@pytest.mark.parametrize("blow_up", BLOW_UPS.values(), ids=BLOW_UPS)
def test_divergence_ends_the_episode_and_does_not_change_the_next(distribution, blow_up):
    env, reference = distribution.make(3), distribution.make(3)
    tasks = distribution.tasks("train", 3)
    if "gravity" in tasks.params:
        tasks = metarl.TaskSet({**tasks.params, "gravity": [0.01] * 3})  # no pole falls in the first steps
    assert torch.equal(env.begin(tasks, 1), reference.begin(tasks, 1))
    action = torch.full((3, *(env.action_space.shape or ())), 0.1)
    for e in (env, reference):
        e.step(action)
    blow_up(physics_of(env))

    step, expected = env.step(action), reference.step(action)
    assert step.flags.tolist() == [0, DIVERGED, 0]
    assert step.truncated.tolist() == [False, True, False]
    assert not step.terminated.any()
    assert step.reward[1] == 0
    assert all(term[1] == 0 for term in env.environment.reward_terms.values())

    while env.episode == 0:
        for x, y in zip(step, expected, strict=True):
            assert torch.equal(x[OTHERS], y[OTHERS])
        assert all(torch.isfinite(x).all() for x in (step.obs, step.final_obs, step.reward))
        step, expected = env.step(action), reference.step(action)
        assert not step.flags.any()  # a resting environment has no flags
        assert step.resting[1]
        assert step.reward[1] == 0
    while not env.done:  # the second episode equals the reference in all environments, the diverged one included
        assert torch.equal(step.obs, expected.obs)
        step, expected = env.step(action), reference.step(action)
        assert not step.flags.any()


def test_flags_mark_exactly_the_steps_that_diverge():
    d = metarl.get("HalfCheetahVel")
    env = Environment(d, 2)
    env.assign(d.tasks("train", 2))
    env.reset()
    physics, action, first = physics_of(env), torch.zeros(2, 6), torch.tensor([True, False])
    for _ in range(3):  # repeatedly, without a reset
        physics.qvel[0] = 1e12
        assert env.step(action).flags.tolist() == [DIVERGED, 0]
    assert env.step(action).flags.tolist() == [0, 0]
    for _ in range(3):  # with a reset after each
        physics.qvel[0] = 1e12
        assert env.step(action).flags.tolist() == [DIVERGED, 0]
        env.reset(first)
        assert env.step(action).flags.tolist() == [0, 0]
    physics.qvel[0] = 1e12  # a reset before the next step removes the divergence
    env.reset(first)
    assert env.step(action).flags.tolist() == [0, 0]


def test_diverged_robot_returns_to_its_start_state(falling_robot):
    env = Environment(falling_robot, 2)
    env.assign(falling_robot.tasks())
    env.reset()
    physics_of(env).qvel[0] = 1e12
    step = env.step(torch.ones(2, 1))
    physics = physics_of(env)
    assert torch.equal(physics.qpos[0], physics.default("qpos0"))
    assert not physics.qvel[0].any()
    assert step.obs[0].tolist() == [0, 0, 0, 0, 0, 0, 0.5]  # derived fields included


def test_extreme_task_diverges_without_an_edited_state():
    d = metarl.TaskDistribution(
        "TestExtreme", world="HalfCheetah", goal="velocity", horizon=30, episodes=1,
        parameters={"gravity": metarl.Fixed(1.0), "strength": metarl.Fixed(1.0), "mass": metarl.Fixed(1.0)},
    )  # fmt: skip
    extreme = metarl.TaskSet({"gravity": [1.0, 1000.0], "strength": [1.0, 1000.0], "mass": [1.0, 0.001]})
    env = d.make(2)
    env.begin(extreme)
    flags = torch.zeros(2, dtype=torch.int64)
    action = torch.tensor([[1.0, -1.0, 1.0, -1.0, 1.0, -1.0]]).repeat(2, 1)
    while not env.done:
        step = env.step(action)
        action = -action
        assert torch.isfinite(step.obs).all()
        assert torch.isfinite(step.reward).all()
        flags |= step.flags
    assert flags.tolist() == [0, DIVERGED]


def test_diverging_environment_leaves_others_unchanged():
    """One environment diverges and is reset repeatedly; the others equal those of a batch without it, bit for bit."""
    d = metarl.TaskDistribution(
        "TestExtreme", world="HalfCheetah", goal="velocity", horizon=20, episodes=3,
        parameters={name: metarl.Fixed(1.0) for name in ("gravity", "strength", "mass")},
    )  # fmt: skip
    mixed = metarl.TaskSet({"gravity": [1.0, 1000.0, 0.7], "strength": [1.0, 1000.0, 1.3], "mass": [1.0, 0.001, 2.0]})
    env, reference = Environment(d, 3), Environment(d, 3)
    env.assign(mixed)
    reference.assign(metarl.TaskSet({name: [v[0], 1.0, v[2]] for name, v in mixed.params.items()}))
    keys = torch.arange(3)
    for e in (env, reference):
        e.seed(5, keys)
        e.reset()
    action, divergences = torch.tensor([[1.0, -1.0, 1.0, -1.0, 1.0, -1.0]]).repeat(3, 1), 0
    for t in range(60):
        step, expected = env.step(action * (-1) ** t), reference.step(action * (-1) ** t)
        assert all(torch.equal(x[OTHERS], y[OTHERS]) for x, y in zip(step, expected, strict=True))
        assert torch.isfinite(step.obs).all()
        divergences += int(step.flags[1] == DIVERGED)
        env.reset(step.truncated)
        reference.reset(step.truncated)
    assert divergences >= 3
