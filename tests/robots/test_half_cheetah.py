"""HalfCheetah against Gymnasium's own HalfCheetah-v5: physics bit for bit."""

import warnings

import gymnasium as gym
import mujoco
import numpy as np
import pytest

import metarl
from metarl import registry
from metarl.gym_api.env import ScalarEnv
from metarl.gym_api.vector_env import VectorEnv

STEPS = 100


@pytest.fixture
def gymnasiums():
    """HalfCheetah-v5. Its model uses an attribute that MuJoCo 4 warns of, on stderr and in a file."""
    quiet = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(lambda message: None)
    env = gym.make("HalfCheetah-v5").unwrapped
    mujoco.set_mju_user_warning(quiet)
    yield env
    env.close()


@pytest.fixture
def forward():
    """Run forward, with Gymnasium's weight of the control cost."""
    return metarl.TaskDistribution(
        "TestForward", world="HalfCheetah", goal="direction",
        parameters={"direction": metarl.Fixed(1.0)}, settings={"weights": {"control": 0.1}},
    )  # fmt: skip


@pytest.mark.parametrize("seed", [0, 1])
def test_physics_observations_and_reward_terms_are_gymnasiums(gymnasiums, forward, seed):
    env = ScalarEnv(forward)
    physics = env._lanes.environment.simulation.physics  # type: ignore[attr-defined]
    env.reset(seed=seed)
    gymnasiums.reset(seed=seed)
    gymnasiums.set_state(physics.qpos[0].numpy(), physics.qvel[0].numpy())
    env.action_space.seed(seed)
    for _ in range(STEPS):
        action = env.action_space.sample()
        obs, reward, _, _, info = env.step(action)
        expected, their_reward, _, _, theirs = gymnasiums.step(action)
        np.testing.assert_array_equal(physics.qpos[0].numpy(), gymnasiums.data.qpos)
        np.testing.assert_array_equal(physics.qvel[0].numpy(), gymnasiums.data.qvel)
        np.testing.assert_array_equal(obs, expected.astype(np.float32))
        terms = info["reward_terms"]
        assert terms["direction"] == np.float32(theirs["reward_forward"])
        np.testing.assert_allclose(terms["control"], theirs["reward_ctrl"], rtol=1e-6)  # theirs is float32
        np.testing.assert_allclose(reward, their_reward, rtol=1e-6, atol=1e-6)


def test_a_lane_among_others_is_gymnasiums(gymnasiums, forward):
    env = VectorEnv(forward, 3)
    physics = env._lanes.environment.simulation.physics  # type: ignore[attr-defined]
    env.reset(seed=4)
    gymnasiums.reset(seed=0)
    gymnasiums.set_state(physics.qpos[1].numpy(), physics.qvel[1].numpy())
    env.action_space.seed(4)
    for _ in range(STEPS):
        actions = env.action_space.sample()
        env.step(actions)
        gymnasiums.step(actions[1])
        np.testing.assert_array_equal(physics.qpos[1].numpy(), gymnasiums.data.qpos)
        np.testing.assert_array_equal(physics.qvel[1].numpy(), gymnasiums.data.qvel)


def test_model_is_gymnasiums_field_by_field(gymnasiums):
    ours = registry.find("world", "HalfCheetah").model
    for name in ("body_mass", "body_inertia", "dof_damping", "jnt_range", "actuator_gear", "geom_friction", "qpos0"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(gymnasiums.model, name))


def test_ours_compiles_without_a_warning(capfd):
    told = []
    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(told.append)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            world = registry.find("world", "HalfCheetah")
            mujoco.MjModel.from_xml_path(str(world.mjcf))
    finally:
        mujoco.set_mju_user_warning(before)
    assert told == []
    assert capfd.readouterr().err == ""
