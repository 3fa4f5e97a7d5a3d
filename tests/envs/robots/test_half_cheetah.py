"""HalfCheetah against Gymnasium's HalfCheetah-v5, bit for bit."""

import warnings

import gymnasium as gym
import mujoco
import numpy as np
import pytest

import metarl
from metarl import registry
from metarl.gym_api.env import MetarlEnv
from metarl.gym_api.vector_env import VectorEnv

STEPS = 100


@pytest.fixture
def reference_env():
    """HalfCheetah-v5. MuJoCo 4 warns of an attribute of its model, on stderr and in a file."""
    handler = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(lambda message: None)
    env = gym.make("HalfCheetah-v5").unwrapped
    mujoco.set_mju_user_warning(handler)
    yield env
    env.close()


@pytest.fixture
def forward():
    """A distribution with the goal of running forward, and Gymnasium's weight of the control cost."""
    return metarl.TaskDistribution(
        "TestForward", world="HalfCheetah", goal="direction",
        parameters={"direction": metarl.Fixed(1.0)}, settings={"weights": {"control": 0.1}},
    )  # fmt: skip


@pytest.mark.parametrize("seed", [0, 1])
def test_states_observations_and_reward_terms_equal_gymnasium(reference_env, forward, seed):
    env = MetarlEnv(forward)
    physics = env._core.environment.simulation.physics  # type: ignore[attr-defined]
    env.reset(seed=seed)
    reference_env.reset(seed=seed)
    reference_env.set_state(physics.qpos[0].numpy(), physics.qvel[0].numpy())
    env.action_space.seed(seed)
    for _ in range(STEPS):
        action = env.action_space.sample()
        obs, reward, _, _, info = env.step(action)
        expected, their_reward, _, _, theirs = reference_env.step(action)
        np.testing.assert_array_equal(physics.qpos[0].numpy(), reference_env.data.qpos)
        np.testing.assert_array_equal(physics.qvel[0].numpy(), reference_env.data.qvel)
        np.testing.assert_array_equal(obs, expected.astype(np.float32))
        terms = info["reward_terms"]
        assert terms["direction"] == np.float32(theirs["reward_forward"])
        np.testing.assert_allclose(terms["control"], theirs["reward_ctrl"], rtol=1e-6)  # Gymnasium's is float32
        np.testing.assert_allclose(reward, their_reward, rtol=1e-6, atol=1e-6)


def test_batched_environment_equals_gymnasium(reference_env, forward):
    env = VectorEnv(forward, 3)
    physics = env._core.environment.simulation.physics  # type: ignore[attr-defined]
    env.reset(seed=4)
    reference_env.reset(seed=0)
    reference_env.set_state(physics.qpos[1].numpy(), physics.qvel[1].numpy())
    env.action_space.seed(4)
    for _ in range(STEPS):
        actions = env.action_space.sample()
        env.step(actions)
        reference_env.step(actions[1])
        np.testing.assert_array_equal(physics.qpos[1].numpy(), reference_env.data.qpos)
        np.testing.assert_array_equal(physics.qvel[1].numpy(), reference_env.data.qvel)


def test_model_fields_equal_gymnasium(reference_env):
    ours = registry.find("world", "HalfCheetah").model
    for name in ("body_mass", "body_inertia", "dof_damping", "jnt_range", "actuator_gear", "geom_friction", "qpos0"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(reference_env.model, name))


def test_model_compiles_without_warnings(capfd):
    messages = []
    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(messages.append)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            world = registry.find("world", "HalfCheetah")
            mujoco.MjModel.from_xml_path(str(world.mjcf))
    finally:
        mujoco.set_mju_user_warning(before)
    assert messages == []
    assert capfd.readouterr().err == ""
