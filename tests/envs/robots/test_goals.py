"""Reward terms of goals against NumPy computations from the states before and after a step."""

import math

import numpy as np
import pytest
import torch

import metarl
from metarl.envs.robots.robot import Robot
from metarl.errors import MetarlError


def random_steps(env, steps=40, seed=0):
    """Yield (place before, place after, reward terms) of each step, under random actions."""
    world, physics = env.distribution.simulated_world, env.simulation.physics
    size = (steps, env.num_envs, *env.action_space.shape)
    for action in torch.rand(size, generator=torch.Generator().manual_seed(seed)) * 2.4 - 1.2:
        before = world.place(physics).numpy().copy()
        env.step(action)
        yield before, world.place(physics).numpy().copy(), env.reward_terms


@pytest.mark.parametrize("robot", ["Ant", "Humanoid", "Swimmer", "PointMass", "Reacher"])
@pytest.mark.parametrize("angle", [0.0, 1.0, math.pi, 5.0])
def test_direction2d_rewards_the_velocity_along_the_angle(robot, angle, make):
    env = make(robot, "direction2d", {"angle": angle}, num_envs=2)
    for before, after, terms in random_steps(env, 10):
        expected = (after - before) @ [math.cos(angle), math.sin(angle)] / env.simulation.physics.dt
        np.testing.assert_allclose(terms["direction"], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("robot", ["Ant", "Humanoid", "Swimmer", "PointMass", "Reacher"])
def test_place_rewards_the_l1_and_reach_the_l2_distance(robot, make):
    goal = np.array([0.7, -1.3])
    place = make(robot, "place", {"place": goal})
    reach = make(robot, "reach", {"target": goal})
    pairs = zip(random_steps(place, 10), random_steps(reach, 10), strict=True)
    for (_, after, place_terms), (_, same, reach_terms) in pairs:
        np.testing.assert_array_equal(after, same)
        np.testing.assert_allclose(place_terms["place"], -np.abs(after - goal).sum(1), rtol=1e-6)
        np.testing.assert_allclose(reach_terms["distance"], -np.hypot(*(after - goal).T), rtol=1e-6)


@pytest.mark.parametrize("robot", ["Hopper", "Walker2d", "HalfCheetah", "Ant", "CartPole"])
def test_advance_rewards_the_velocity_along_x(robot, make):
    env = make(robot, "advance", {}, num_envs=2)
    for before, after, terms in random_steps(env, 10):
        expected = (after - before)[:, 0] / env.simulation.physics.dt
        np.testing.assert_allclose(terms["advance"], expected, rtol=1e-5, atol=1e-6)


def test_place_of_humanoid_is_the_centre_of_mass(make):
    env = make("Humanoid", "advance", {}, num_envs=3)
    physics, model = env.simulation.physics, env.simulation.robot.model
    env.step(torch.ones(3, 17) * 0.3)
    for i in range(3):
        _, data = physics.single(i)
        expected = (model.body_mass[:, None] * data.xipos).sum(0) / model.body_mass.sum()
        np.testing.assert_allclose(env.simulation.robot.place(physics)[i], expected[:2], rtol=1e-9, atol=1e-12)


def test_place_of_reacher_is_the_fingertip(make):
    env = make("Reacher", "reach", {"target": [0.1, 0.1]}, num_envs=4)
    physics = env.simulation.physics
    for _ in range(20):
        env.step(torch.tensor([[1.0, -1.0], [0.5, 0.5], [-1.0, 0.2], [0.0, 1.0]]))
        upper, lower = physics.qpos[:, 0], physics.qpos.sum(1)  # angles of the links in the world frame
        tip = 0.1 * torch.stack([upper.cos(), upper.sin()]) + 0.11 * torch.stack([lower.cos(), lower.sin()])
        np.testing.assert_allclose(env.simulation.robot.place(physics), tip.T, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("robot", ["CartPole", "Pendulum", "Hopper", "Walker2d"])
def test_balance_rewards_steps_within_the_tolerance(robot, make):
    env = make(robot, "balance", {"tolerance": 0.1}, num_envs=5)
    physics = env.simulation.physics
    element = {"CartPole": 1, "Pendulum": 0}.get(robot, 2)
    physics.qpos[:, element] = torch.tensor([-0.3, -0.09, 0.0, 0.09, 0.3])
    physics.qvel.zero_()
    env.step(torch.zeros(5, *env.action_space.shape))
    np.testing.assert_array_equal(env.reward_terms["balance"], physics.qpos[:, element].abs() <= 0.1)
    assert env.reward_terms["balance"].tolist()[::2] == [0, 1, 0]


def fits(robot, goal):
    """Return whether a robot supports a goal, from its documentation."""
    in_plane = {"Ant", "Humanoid", "PointMass", "Reacher", "Swimmer"}
    upright = {"CartPole", "Hopper", "Pendulum", "Walker2d"}
    return (goal.place_size == 1 or robot.name in in_plane) and (not goal.needs_tilt or robot.name in upright)


def test_goals_lists_exactly_the_supported_goals_and_others_raise():
    worlds = [metarl.registry.find("world", name) for name in metarl.registry.names("world")]
    goals = [metarl.registry.find("goal", name) for name in metarl.registry.names("goal")]
    for robot in (world for world in worlds if isinstance(world, Robot)):
        assert [goal.name for goal in robot.goals()] == [goal.name for goal in goals if fits(robot, goal)]
        for goal in goals:
            distribution = metarl.TaskDistribution(
                "TestPair", world=robot.name, goal=goal.name, parameters={"gravity": metarl.Fixed(1.0)}
            )
            if not fits(robot, goal):
                with pytest.raises(MetarlError, match="needs a robot that"):
                    distribution.make(2)
                continue
            env = distribution.make(2)
            env.begin({"gravity": 1.0})
            action = torch.zeros(2, *(env.action_space.shape or ()))
            assert torch.isfinite(env.step(action).reward).all()
