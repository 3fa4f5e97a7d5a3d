"""A simulation that blows up ends its own episode, is flagged, earns nothing, disturbs nobody, and recovers."""

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
ALONE = [0, 2]


def physics_of(env: Any) -> Physics:
    return getattr(env, "environment", env).simulation.physics


@pytest.fixture(autouse=True)
def _log_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes MUJOCO_LOG.TXT where it stands


@pytest.fixture(params=["HalfCheetahVel", "TestFalling"])
def family(request, falling_robot):
    return replace(metarl.get(request.param), horizon=12)


@pytest.mark.parametrize("blow_up", BLOW_UPS.values(), ids=BLOW_UPS)
def test_the_episode_ends_and_the_next_is_as_if_nothing_had_been(family, blow_up):
    env, calm = family.make(3), family.make(3)
    tasks = family.tasks("train", 3)
    if "gravity" in tasks.params:
        tasks = metarl.TaskSet({**tasks.params, "gravity": [0.01] * 3})  # nobody falls in the first steps
    assert torch.equal(env.begin(tasks, 1), calm.begin(tasks, 1))
    action = torch.full((3, *(env.action_space.shape or ())), 0.1)
    for e in (env, calm):
        e.step(action)
    blow_up(physics_of(env))

    step, expected = env.step(action), calm.step(action)
    assert step.flags.tolist() == [0, DIVERGED, 0]
    assert step.truncated.tolist() == [False, True, False]
    assert not step.terminated.any()
    assert step.reward[1] == 0
    assert all(term[1] == 0 for term in env.environment.reward_terms.values())

    while env.episode == 0:
        for x, y in zip(step, expected, strict=True):
            assert torch.equal(x[ALONE], y[ALONE])
        assert all(torch.isfinite(x).all() for x in (step.obs, step.final_obs, step.reward))
        step, expected = env.step(action), calm.step(action)
        assert not step.flags.any()  # at rest
        assert step.resting[1]
        assert step.reward[1] == 0
    while not env.done:  # the second episode, the recovered environment included, is that of the calm batch
        assert torch.equal(step.obs, expected.obs)
        step, expected = env.step(action), calm.step(action)
        assert not step.flags.any()


def test_every_divergence_is_flagged_and_only_those():
    d = metarl.get("HalfCheetahVel")
    env = Environment(d, 2)
    env.assign(d.tasks("train", 2))
    env.reset()
    physics, action, first = physics_of(env), torch.zeros(2, 6), torch.tensor([True, False])
    for _ in range(3):  # again and again without a restart
        physics.qvel[0] = 1e12
        assert env.step(action).flags.tolist() == [DIVERGED, 0]
    assert env.step(action).flags.tolist() == [0, 0]
    for _ in range(3):  # with a restart after each
        physics.qvel[0] = 1e12
        assert env.step(action).flags.tolist() == [DIVERGED, 0]
        env.reset(first)
        assert env.step(action).flags.tolist() == [0, 0]
    physics.qvel[0] = 1e12  # restarted before anybody saw it: it never happened
    env.reset(first)
    assert env.step(action).flags.tolist() == [0, 0]


def test_a_diverged_robot_lies_at_its_start(falling_robot):
    env = Environment(falling_robot, 2)
    env.assign(falling_robot.tasks())
    env.reset()
    physics_of(env).qvel[0] = 1e12
    step = env.step(torch.ones(2, 1))
    physics = physics_of(env)
    assert torch.equal(physics.qpos[0], physics.default("qpos0"))
    assert not physics.qvel[0].any()
    assert step.obs[0].tolist() == [0, 0, 0, 0, 0, 0, 0.5]  # derived fields included


def test_an_absurd_task_diverges_by_itself():
    d = metarl.TaskDistribution(
        "TestAbsurd", world="HalfCheetah", goal="velocity", horizon=30, episodes=1,
        parameters={"gravity": metarl.Fixed(1.0), "strength": metarl.Fixed(1.0), "mass": metarl.Fixed(1.0)},
    )  # fmt: skip
    absurd = metarl.TaskSet({"gravity": [1.0, 1000.0], "strength": [1.0, 1000.0], "mass": [1.0, 0.001]})
    env = d.make(2)
    env.begin(absurd)
    flags = torch.zeros(2, dtype=torch.int64)
    action = torch.tensor([[1.0, -1.0, 1.0, -1.0, 1.0, -1.0]]).repeat(2, 1)
    while not env.done:
        step = env.step(action)
        action = -action
        assert torch.isfinite(step.obs).all()
        assert torch.isfinite(step.reward).all()
        flags |= step.flags
    assert flags.tolist() == [0, DIVERGED]


def test_an_absurd_neighbour_is_not_felt():
    """Its episode is cut and begun anew, again and again; the others live as if it were not there."""
    d = metarl.TaskDistribution(
        "TestAbsurd", world="HalfCheetah", goal="velocity", horizon=20, episodes=3,
        parameters={name: metarl.Fixed(1.0) for name in ("gravity", "strength", "mass")},
    )  # fmt: skip
    mixed = metarl.TaskSet({"gravity": [1.0, 1000.0, 0.7], "strength": [1.0, 1000.0, 1.3], "mass": [1.0, 0.001, 2.0]})
    env, calm = Environment(d, 3), Environment(d, 3)
    env.assign(mixed)
    calm.assign(metarl.TaskSet({name: [v[0], 1.0, v[2]] for name, v in mixed.params.items()}))
    keys = torch.arange(3)
    for e in (env, calm):
        e.seed(5, keys)
        e.reset()
    action, cut = torch.tensor([[1.0, -1.0, 1.0, -1.0, 1.0, -1.0]]).repeat(3, 1), 0
    for t in range(60):
        step, expected = env.step(action * (-1) ** t), calm.step(action * (-1) ** t)
        assert all(torch.equal(x[ALONE], y[ALONE]) for x, y in zip(step, expected, strict=True))
        assert torch.isfinite(step.obs).all()
        cut += int(step.flags[1] == DIVERGED)
        env.reset(step.truncated)
        calm.reset(step.truncated)
    assert cut >= 3
