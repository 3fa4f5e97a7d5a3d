"""Pendulum against Gymnasium's closed form, and swinging up against its sampler of reward."""

import gymnasium as gym
import numpy as np
import pytest
import torch


@pytest.fixture
def gymnasiums():
    return gym.make("Pendulum-v1").unwrapped


def test_motion_and_reward_are_pendulum_v1s(gymnasiums, make):
    """Their reward is of the state a step leaves, ours of the one it leads to."""
    env = make("Pendulum", "swing_up", {})
    physics = env.simulation.physics
    gymnasiums.reset(seed=0)
    gymnasiums.state = np.array([physics.qpos[0, 0].item(), physics.qvel[0, 0].item()])
    costs, torques = [], []
    for action in np.random.default_rng(0).uniform(-1, 1, (200, 1)):
        moved = env.step(torch.from_numpy(action)[None])
        obs, reward, *_ = gymnasiums.step(2 * action)
        assert abs(gymnasiums.state[1]) < 8  # where theirs is clipped
        np.testing.assert_allclose([physics.qpos[0, 0], physics.qvel[0, 0]], gymnasiums.state, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(moved.obs[0], obs, atol=2e-6)
        torques.append(0.001 * (2 * action[0]) ** 2)
        costs.append((-reward - torques[-1], float(env.reward_terms["swing_up"]), float(env.reward_terms["control"])))
    theirs, ours, control = np.array(costs).T
    np.testing.assert_allclose(-ours[:-1], theirs[1:], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(-control, torques, rtol=1e-5)


@pytest.mark.parametrize("mass", [0.5, 1.0, 2.0])
def test_mass_divides_what_the_motor_does_and_nothing_else(mass, make):
    """3u / (m l^2) beside 3g/(2l) sin: a rod's inertia scales with its mass."""
    env = make("Pendulum", "swing_up", {"mass": mass}, num_envs=3)
    physics = env.simulation.physics
    angle, rate = physics.qpos[:, 0].clone(), physics.qvel[:, 0].clone()
    action = torch.tensor([[1.0], [0.0], [-0.5]], dtype=torch.float64)
    env.step(action)
    expected = rate + 0.05 * (15 * angle.sin() + 3 / mass * 2 * action[:, 0])
    np.testing.assert_allclose(physics.qvel[:, 0], expected, rtol=1e-9)


def test_the_angle_is_taken_the_short_way_round(make):
    env = make("Pendulum", "swing_up", {}, num_envs=4)
    physics = env.simulation.physics
    turns = torch.tensor([0.1, 0.1 + 2 * np.pi, 0.1 - 4 * np.pi, 0.1 + 6 * np.pi], dtype=torch.float64)
    physics.qpos[:, 0], physics.qvel[:, 0] = turns, 0.5
    env.step(torch.zeros(4, 1))
    reward = env.reward_terms["swing_up"]
    np.testing.assert_allclose(reward, reward[0].expand(4), rtol=1e-5)
    assert float(reward[0]) > -0.1


def test_starts_are_everywhere(make):
    physics = make("Pendulum", "swing_up", {}, num_envs=1000).simulation.physics
    assert np.histogram(physics.qpos[:, 0], 8, (-np.pi, np.pi))[0].min() > 90
    assert np.histogram(physics.qvel[:, 0], 4, (-1, 1))[0].min() > 200
