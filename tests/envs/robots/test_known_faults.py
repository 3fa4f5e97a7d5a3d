"""Known faults of published implementations of the robot distributions; each test would detect one of them."""

from typing import Any

import mujoco
import numpy as np
import pytest
import torch

import metarl
from metarl import registry
from metarl.core.environment import Environment
from metarl.envs.robots.robot import Robot
from metarl.errors import MetarlError
from metarl.tasks.samplers import Uniform

RANDOM_PARAMETERS = ["HopperRandParams", "Walker2dRandParams"]


def robot_distributions() -> list[str]:
    names = registry.names("distribution")
    return [name for name in names if isinstance(metarl.get(name).simulated_world, Robot)]


def make_env(name: str, num_envs: int, tasks=None) -> Any:
    distribution = metarl.get(name)
    env = Environment(distribution, num_envs)
    env.assign(distribution.tasks("train", num_envs) if tasks is None else tasks)
    env.seed(0)
    env.reset()
    return env


# Rewards -------------------------------------------------------------------------------------------------------------


def test_directions_of_ant_dir_are_opposite():
    """VariBAD uses -1 and +1 as angles, which are 115 degrees apart."""
    distribution = metarl.get("AntDir")
    angles = np.sort(distribution.tasks("train", 2).params["angle"])
    assert angles.tolist() == [0.0, np.pi]
    env = make_env("AntDir", 2, metarl.TaskSet({"angle": angles}, distribution.specs))
    physics = env.simulation.physics
    physics.qpos[1], physics.qvel[1] = physics.qpos[0], physics.qvel[0]
    for action in torch.rand(20, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1:
        env.step(action.repeat(2, 1))
        forward, backward = env.reward_terms["direction"]
        np.testing.assert_allclose(forward, -backward, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["SwimmerVel", "HalfCheetahVel", "HalfCheetahVelClassic", "AntVel"])
def test_velocity_reward_is_highest_at_the_target(name):
    """ProMP's swimmer is rewarded for deviations from the target."""
    env = make_env(name, 101)
    velocities = np.linspace(-1, 1, 101)  # targets of equal simulations: the reward is highest for the nearest target
    env.assign(metarl.TaskSet({"velocity": velocities}, env.distribution.specs))
    physics = env.simulation.physics
    physics.qpos[:], physics.qvel[:] = physics.qpos[0], physics.qvel[0]
    x = float(physics.qpos[0, 0])
    env.step(torch.full((101, *env.action_space.shape), 0.5))
    velocity = (float(physics.qpos[0, 0]) - x) / physics.dt
    reward = env.reward_terms["velocity"].numpy()
    assert np.argmax(reward) == np.argmin(np.abs(velocities - velocity))
    order = np.argsort(np.abs(velocities - velocity))
    assert (np.diff(reward[order]) <= 1e-6).all()


def test_both_published_velocity_ranges_exist():
    """The range is U(0, 2) in the code of the MAML paper, and U(0, 3) in ProMP, PEARL and VariBAD."""
    assert metarl.get("HalfCheetahVel").parameters["velocity"] == Uniform(0.0, 3.0)
    assert metarl.get("HalfCheetahVelClassic").parameters["velocity"] == Uniform(0.0, 2.0)


# Observations --------------------------------------------------------------------------------------------------------

UNOBSERVED_COORDINATES = {
    "HalfCheetahDir": 1, "HalfCheetahVel": 1, "HopperRandParams": 1, "Walker2dRandParams": 1,
    "AntDir": 2, "AntDir2D": 2, "AntVel": 2, "HumanoidDir": 2, "SwimmerVel": 2,
}  # fmt: skip


@pytest.mark.parametrize(("name", "coordinates"), UNOBSERVED_COORDINATES.items())
def test_absolute_position_is_not_observed(name, coordinates):
    """PEARL's and VariBAD's 20 numbers of HalfCheetah include x."""
    env = make_env(name, 2)
    simulation, physics = env.simulation, env.simulation.physics
    before = simulation.observe()
    physics.qpos[:, :coordinates] += 100.0
    assert torch.equal(simulation.observe(), before)


SIZES = {
    "HalfCheetahDir": 17, "HalfCheetahVel": 17, "AntDir": 27, "AntDir2D": 27, "AntGoal": 29, "HopperRandParams": 11,
    "Walker2dRandParams": 17,
}  # fmt: skip


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_observation_size_is_the_published_one(name, size):
    assert metarl.get(name).make().observation_space.shape == (size,)


def test_ant_goal_observes_its_position():
    env = make_env("AntGoal", 3)
    physics = env.simulation.physics
    np.testing.assert_array_equal(env.simulation.observe(), torch.cat([physics.qpos, physics.qvel], 1).float())


# Splits --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["HalfCheetahDir", "AntDir"])
def test_distribution_of_two_tasks_has_only_a_train_split(name):
    """PEARL's distributions of two directions are tested on their training tasks."""
    distribution = metarl.get(name)
    assert distribution.splits == ("train",)
    for split in ("valid", "test", "ood"):
        with pytest.raises(MetarlError, match=f"there is no {split} split"):
            distribution.tasks(split)


@pytest.mark.parametrize("name", robot_distributions())
def test_splits_are_disjoint_and_global_generators_are_not_used(name):
    """With shared or re-seeded global generators, published experiments used the same tasks for all seeds."""
    distribution = metarl.get(name)
    drawn = {}
    for split in distribution.splits:
        np.random.seed(1337)  # noqa: NPY002 - the fault itself
        torch.manual_seed(1337)
        before = np.random.get_state(legacy=False)["state"]["key"].copy(), torch.get_rng_state()  # noqa: NPY002
        tasks = distribution.tasks(split, 50, seed=0)
        np.testing.assert_array_equal(np.random.get_state(legacy=False)["state"]["key"], before[0])  # noqa: NPY002
        assert torch.equal(torch.get_rng_state(), before[1])
        assert distribution.tasks(split, 50, seed=1) != tasks or distribution.finite_tasks is not None
        columns = [values.reshape(50, -1) for values in tasks.params.values()]
        drawn[split] = {tuple(row) for row in np.concatenate(columns, 1)}
    if distribution.split == "disjoint":
        assert all(not drawn[a] & drawn[b] for a in drawn for b in drawn if a < b)


# Model fields --------------------------------------------------------------------------------------------------------


def impossible_inertias(name: str, tasks: int = 200) -> np.ndarray:
    """Return which bodies violate the triangle inequality of principal moments of inertia, bool [tasks, bodies]."""
    env = make_env(name, tasks)
    moments = env.simulation.physics.field("body_inertia")[:, 1:].sort(-1).values
    return (moments[..., 2] > moments[..., :2].sum(-1) * (1 + 1e-9)).numpy()


@pytest.mark.parametrize("name", RANDOM_PARAMETERS)
def test_inertias_are_physically_possible(name):
    """rand_param_envs and the distributions called Classic scale each component independently."""
    assert not impossible_inertias(name).any()
    assert impossible_inertias(name + "Classic").any(1).mean() > 0.99


@pytest.mark.parametrize("name", [*RANDOM_PARAMETERS, "HopperRandParamsClassic", "Walker2dRandParamsClassic"])
def test_derived_constants_are_recomputed_and_scales_do_not_compound(name):
    """rand_param_envs keeps the compiled constants."""
    distribution: Any = metarl.get(name)
    env = make_env(name, 3)
    for seed in (1, 2, 3):  # several tasks, of which the last is compared
        env.assign(distribution.tasks("train", 3, seed=seed))
    compiled = distribution.simulated_world.model
    for i in range(3):
        model, _ = env.simulation.physics.single(i)
        plain = mujoco.MjModel.from_xml_path(str(distribution.simulated_world.mjcf))
        factors = {n: v[i] for n, v in distribution.tasks("train", 3, seed=3).params.items()}
        mass = factors["body_mass_scale" if "body_mass_scale" in factors else "classic_mass_scale"]
        inertia = factors.get("classic_inertia_scale", mass[:, None])
        friction = factors.get("classic_friction_scale", factors.get("geom_friction_scale", np.ones(1))[:, None])
        plain.body_mass[1:] *= mass
        plain.body_inertia[1:] *= inertia
        plain.dof_damping[:] *= factors["dof_damping_scale"]
        plain.geom_friction[:] *= friction
        mujoco.mj_setConst(plain, mujoco.MjData(plain))
        for field in ("body_mass", "body_inertia", "dof_damping", "geom_friction", "body_subtreemass",
                      "body_invweight0", "dof_invweight0", "dof_M0"):  # fmt: skip
            np.testing.assert_allclose(getattr(model, field), getattr(plain, field), rtol=1e-9, atol=1e-12)
        for field in ("body_subtreemass", "body_invweight0", "dof_invweight0", "dof_M0"):
            assert not np.allclose(getattr(model, field), getattr(compiled, field))


@pytest.mark.parametrize("name", [*RANDOM_PARAMETERS, "HopperRandParamsClassic", "Walker2dRandParamsClassic"])
def test_frame_skip_has_an_effect(name):
    """rand_param_envs ignores its frame skip."""
    env = make_env(name, 1)
    physics = env.simulation.physics
    assert physics.dt == pytest.approx(0.016)
    _, data = physics.single(0)
    before = data.time
    env.step(torch.zeros(1, *env.action_space.shape))
    assert physics.single(0)[1].time - before == pytest.approx(0.016)


def test_humanoid_actions_are_scaled_to_the_control_range():
    """Actions of +-1 are controls of +-0.4; VariBAD rescales actions, PEARL leaves the clipping to MuJoCo."""
    env = make_env("HumanoidDir", 3)
    env.step(torch.tensor([-1.0, 0.5, 7.0])[:, None].repeat(1, 17))
    np.testing.assert_allclose(env.simulation.physics.ctrl, [[-0.4] * 17, [0.2] * 17, [0.4] * 17], rtol=1e-12)
