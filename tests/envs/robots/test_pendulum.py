"""Pendulum against Gymnasium's Pendulum-v1: equation of motion and reward."""

import gymnasium as gym
import numpy as np
import pytest
import torch


@pytest.fixture
def reference_env():
    return gym.make("Pendulum-v1").unwrapped


def test_motion_and_reward_equal_gymnasium(reference_env, make):
    """Gymnasium's reward is that of the state before a step, metarl's that of the state after it."""
    env = make("Pendulum", "swing_up", {})
    physics = env.simulation.physics
    reference_env.reset(seed=0)
    reference_env.state = np.array([physics.qpos[0, 0].item(), physics.qvel[0, 0].item()])
    costs, torques = [], []
    for action in np.random.default_rng(0).uniform(-1, 1, (200, 1)):
        step = env.step(torch.from_numpy(action)[None])
        obs, reward, *_ = reference_env.step(2 * action)
        assert abs(reference_env.state[1]) < 8  # Gymnasium clips at 8
        np.testing.assert_allclose([physics.qpos[0, 0], physics.qvel[0, 0]], reference_env.state, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(step.obs[0], obs, atol=2e-6)
        torques.append(0.001 * (2 * action[0]) ** 2)
        costs.append((-reward - torques[-1], float(env.reward_terms["swing_up"]), float(env.reward_terms["control"])))
    theirs, ours, control = np.array(costs).T
    np.testing.assert_allclose(-ours[:-1], theirs[1:], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(-control, torques, rtol=1e-5)


@pytest.mark.parametrize("mass", [0.5, 1.0, 2.0])
def test_mass_scales_only_the_effect_of_the_torque(mass, make):
    """In 3g/(2l) sin θ + 3u/(m l²), gravity's term is independent of the mass, as a rod's inertia scales with it."""
    env = make("Pendulum", "swing_up", {"mass": mass}, num_envs=3)
    physics = env.simulation.physics
    angle, rate = physics.qpos[:, 0].clone(), physics.qvel[:, 0].clone()
    action = torch.tensor([[1.0], [0.0], [-0.5]], dtype=torch.float64)
    env.step(action)
    expected = rate + 0.05 * (15 * angle.sin() + 3 / mass * 2 * action[:, 0])
    np.testing.assert_allclose(physics.qvel[:, 0], expected, rtol=1e-9)


def test_swing_up_reward_is_periodic_in_the_angle(make):
    env = make("Pendulum", "swing_up", {}, num_envs=4)
    physics = env.simulation.physics
    turns = torch.tensor([0.1, 0.1 + 2 * np.pi, 0.1 - 4 * np.pi, 0.1 + 6 * np.pi], dtype=torch.float64)
    physics.qpos[:, 0], physics.qvel[:, 0] = turns, 0.5
    env.step(torch.zeros(4, 1))
    reward = env.reward_terms["swing_up"]
    np.testing.assert_allclose(reward, reward[0].expand(4), rtol=1e-5)
    assert float(reward[0]) > -0.1


def test_start_states_cover_the_whole_range(make):
    physics = make("Pendulum", "swing_up", {}, num_envs=1000).simulation.physics
    assert np.histogram(physics.qpos[:, 0], 8, (-np.pi, np.pi))[0].min() > 90
    assert np.histogram(physics.qvel[:, 0], 4, (-1, 1))[0].min() > 200
