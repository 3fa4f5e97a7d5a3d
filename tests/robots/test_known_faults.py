"""Faults of the public sources of these families, each of which a test here would catch."""

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


def robot_families() -> list[str]:
    names = registry.names("distribution")
    return [name for name in names if isinstance(metarl.get(name).simulated_world, Robot)]


def begun(name: str, num_envs: int, tasks=None) -> Any:
    family = metarl.get(name)
    env = Environment(family, num_envs)
    env.assign(family.tasks("train", num_envs) if tasks is None else tasks)
    env.seed(0)
    env.reset()
    return env


# What is rewarded ----------------------------------------------------------------------------------------------------


def test_the_two_directions_of_ant_are_opposite():
    """VariBAD took -1 and +1 for angles: 115 degrees apart."""
    family = metarl.get("AntDir")
    angles = np.sort(family.tasks("train", 2).params["angle"])
    assert angles.tolist() == [0.0, np.pi]
    env = begun("AntDir", 2, metarl.TaskSet({"angle": angles}, family.specs))
    physics = env.simulation.physics
    physics.qpos[1], physics.qvel[1] = physics.qpos[0], physics.qvel[0]
    for action in torch.rand(20, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1:
        env.step(action.repeat(2, 1))
        forward, backward = env.reward_terms["direction"]
        np.testing.assert_allclose(forward, -backward, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["SwimmerVel", "HalfCheetahVel", "HalfCheetahVelClassic", "AntVel"])
def test_a_velocity_is_rewarded_most_on_target(name):
    """ProMP's swimmer was rewarded for being off."""
    env = begun(name, 101)
    velocities = np.linspace(-1, 1, 101)  # one world, as many targets: those nearest to its velocity earn most
    env.assign(metarl.TaskSet({"velocity": velocities}, env.distribution.specs))
    physics = env.simulation.physics
    physics.qpos[:], physics.qvel[:] = physics.qpos[0], physics.qvel[0]
    x = float(physics.qpos[0, 0])
    env.step(torch.full((101, *env.action_space.shape), 0.5))
    moved = (float(physics.qpos[0, 0]) - x) / physics.dt
    reward = env.reward_terms["velocity"].numpy()
    assert np.argmax(reward) == np.argmin(np.abs(velocities - moved))
    order = np.argsort(np.abs(velocities - moved))
    assert (np.diff(reward[order]) <= 1e-6).all()


def test_every_range_of_velocities_is_named():
    """U(0, 2) in the code of the MAML paper, U(0, 3) in ProMP, PEARL and VariBAD."""
    assert metarl.get("HalfCheetahVel").parameters["velocity"] == Uniform(0.0, 3.0)
    assert metarl.get("HalfCheetahVelClassic").parameters["velocity"] == Uniform(0.0, 2.0)


# What is seen --------------------------------------------------------------------------------------------------------

BLIND_TO_PLACE = {
    "HalfCheetahDir": 1, "HalfCheetahVel": 1, "HopperRandParams": 1, "Walker2dRandParams": 1,
    "AntDir": 2, "AntDir2D": 2, "AntVel": 2, "HumanoidDir": 2, "SwimmerVel": 2,
}  # fmt: skip


@pytest.mark.parametrize(("name", "coordinates"), BLIND_TO_PLACE.items())
def test_absolute_place_is_not_seen(name, coordinates):
    """PEARL's and VariBAD's 20 numbers of HalfCheetah tell x."""
    env = begun(name, 2)
    simulation, physics = env.simulation, env.simulation.physics
    before = simulation.observe()
    physics.qpos[:, :coordinates] += 100.0
    assert torch.equal(simulation.observe(), before)


SIZES = {
    "HalfCheetahDir": 17, "HalfCheetahVel": 17, "AntDir": 27, "AntDir2D": 27, "AntGoal": 29, "HopperRandParams": 11,
    "Walker2dRandParams": 17,
}  # fmt: skip


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_as_many_numbers_are_seen_as_published(name, size):
    assert metarl.get(name).make().observation_space.shape == (size,)


def test_ant_goal_sees_where_it_is():
    env = begun("AntGoal", 3)
    physics = env.simulation.physics
    np.testing.assert_array_equal(env.simulation.observe(), torch.cat([physics.qpos, physics.qvel], 1).float())


# What is held out ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["HalfCheetahDir", "AntDir"])
def test_two_tasks_leave_none_to_test_on(name):
    """PEARL's two-direction families test on the tasks they train on."""
    family = metarl.get(name)
    assert family.splits == ("train",)
    for split in ("valid", "test", "ood"):
        with pytest.raises(MetarlError, match=f"there is no {split} split"):
            family.tasks(split)


@pytest.mark.parametrize("name", robot_families())
def test_no_task_is_in_two_splits_and_no_global_generator_is_asked(name):
    """A shared or re-seeded global state gave whole papers the same tasks."""
    family = metarl.get(name)
    drawn = {}
    for split in family.splits:
        np.random.seed(1337)  # noqa: NPY002 - the fault itself
        torch.manual_seed(1337)
        before = np.random.get_state(legacy=False)["state"]["key"].copy(), torch.get_rng_state()  # noqa: NPY002
        tasks = family.tasks(split, 50, seed=0)
        np.testing.assert_array_equal(np.random.get_state(legacy=False)["state"]["key"], before[0])  # noqa: NPY002
        assert torch.equal(torch.get_rng_state(), before[1])
        assert family.tasks(split, 50, seed=1) != tasks or family.finite_tasks is not None
        columns = [values.reshape(50, -1) for values in tasks.params.values()]
        drawn[split] = {tuple(row) for row in np.concatenate(columns, 1)}
    if family.split == "disjoint":
        assert all(not drawn[a] & drawn[b] for a in drawn for b in drawn if a < b)


# What varies ---------------------------------------------------------------------------------------------------------


def broken_triangles(name: str, tasks: int = 200) -> np.ndarray:
    """bool [tasks, bodies]: where no mass distribution has these three principal moments of inertia."""
    env = begun(name, tasks)
    largest_last = env.simulation.physics.field("body_inertia")[:, 1:].sort(-1).values
    return (largest_last[..., 2] > largest_last[..., :2].sum(-1) * (1 + 1e-9)).numpy()


@pytest.mark.parametrize("name", RANDOM_PARAMETERS)
def test_sampled_inertias_are_those_of_bodies(name):
    """rand_param_envs scales each component on its own; the Classic families do so too, and say so."""
    assert not broken_triangles(name).any()
    assert broken_triangles(name + "Classic").any(1).mean() > 0.99


@pytest.mark.parametrize("name", [*RANDOM_PARAMETERS, "HopperRandParamsClassic", "Walker2dRandParamsClassic"])
def test_what_mujoco_derives_is_derived_anew_and_scales_do_not_compound(name):
    """rand_param_envs leaves the compiled constants."""
    family: Any = metarl.get(name)
    env = begun(name, 3)
    for seed in (1, 2, 3):  # the last of several tasks
        env.assign(family.tasks("train", 3, seed=seed))
    compiled = family.simulated_world.model
    for i in range(3):
        model, _ = env.simulation.physics.single(i)
        plain = mujoco.MjModel.from_xml_path(str(family.simulated_world.mjcf))
        factors = {n: v[i] for n, v in family.tasks("train", 3, seed=3).params.items()}
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
def test_frame_skip_is_what_was_asked_for(name):
    """rand_param_envs drops the one it is given."""
    env = begun(name, 1)
    physics = env.simulation.physics
    assert physics.dt == pytest.approx(0.016)
    _, data = physics.single(0)
    before = data.time
    env.step(torch.zeros(1, *env.action_space.shape))
    assert physics.single(0)[1].time - before == pytest.approx(0.016)


def test_humanoids_motors_reach_their_range_and_no_further():
    """Actions of +-1 are controls of +-0.4; VariBAD rescales them, PEARL lets MuJoCo clip what exceeds."""
    env = begun("HumanoidDir", 3)
    env.step(torch.tensor([-1.0, 0.5, 7.0])[:, None].repeat(1, 17))
    np.testing.assert_allclose(env.simulation.physics.ctrl, [[-0.4] * 17, [0.2] * 17, [0.4] * 17], rtol=1e-12)
