"""Robots and goals against closed forms, NumPy computations, and Gymnasium's model in plain MuJoCo."""

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
import torch

import metarl
from metarl import registry
from metarl.envs.physics import Physics


def physics_of(env: Any) -> Physics:
    return getattr(env, "environment", env).simulation.physics


# Point mass ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def ball():
    env = metarl.get("PointGoalSparse").make(num_envs=1)
    env.begin({"place": [1.0, 0.0]})
    return env, physics_of(env)


def test_point_mass_velocity_follows_its_time_constant(ball):
    env, physics = ball
    physics.qvel.zero_()
    x, speeds = float(physics.qpos[0, 0]), []
    for _ in range(39):
        env.step(torch.tensor([[1.0, 0.0]]))
        speeds.append(float(physics.qvel[0, 0]))
    substeps = 5 * np.arange(1, 40)
    np.testing.assert_allclose(speeds, 2 * (1 - 1.05**-substeps), rtol=1e-12)  # Euler with implicit drag: m / (m + b h)
    assert speeds[-1] == pytest.approx(2.0, rel=1e-3)
    time = physics.dt * np.arange(1, 40)
    np.testing.assert_allclose(speeds, 2 * (1 - np.exp(-time / 0.2)), atol=0.02)  # the exact motion
    expected = x + 2 * (time[-1] - 0.2 * (1 - np.exp(-time[-1] / 0.2)))
    assert float(physics.qpos[0, 0]) == pytest.approx(expected, abs=0.02)
    assert float(physics.qvel[0, 1]) == 0


def test_point_mass_actions_are_clipped_along_each_axis(ball):
    env, physics = ball
    for action, speed in [((0.5, -0.5), (1.0, -1.0)), ((7.0, -0.25), (2.0, -0.5)), ((0.0, 0.0), (0.0, 0.0))]:
        env.begin({"place": [1.0, 0.0]})
        for _ in range(30):
            env.step(torch.tensor([action]))
        np.testing.assert_allclose(physics.qvel[0], speed, atol=2e-3)


@pytest.mark.parametrize("radius", [None, 0.5])
def test_sparse_place_rewards_only_within_the_radius(radius):
    parameters = {"place": metarl.Disc(1.0)} | ({"radius": metarl.Fixed(radius)} if radius else {})
    d = metarl.TaskDistribution("TestPlace", world="PointMass", goal="sparse_place", parameters=parameters)
    place = np.array([0.6, 0.8])
    distances = [0.0, 0.1, 0.19, 0.21, 0.45, 0.55, 3.0]
    env = d.make(num_envs=len(distances))
    env.begin({"place": place} | ({"radius": radius} if radius else {}))
    physics = physics_of(env)
    physics.qpos[:] = torch.tensor([[0.6, 0.8 + r] for r in distances])
    physics.qvel.zero_()
    step = env.step(torch.zeros(len(distances), 2))
    np.testing.assert_allclose(step.reward, [1 - r if r <= (radius or 0.2) else 0.0 for r in distances], atol=1e-7)
    physics.qpos[:] = torch.from_numpy(place)
    reward = env.step(torch.ones(len(distances), 2)).reward
    distance = np.linalg.norm(physics.qpos.numpy() - place, axis=1)
    np.testing.assert_allclose(reward, (1 - distance) - 0.01 * 2, atol=1e-6)  # after the step, with the action cost


def test_point_goal_sparse_tasks_lie_on_a_half_circle():
    d = metarl.get("PointGoalSparse")
    for split in d.splits:
        x, y = d.tasks(split, 300).params["place"].T
        np.testing.assert_allclose(np.hypot(x, y), 1.0, atol=1e-12)
        angle = np.degrees(np.arctan2(y, x)) % 360
        if split == "ood":
            assert (((angle > 180) & (angle < 210)) | (angle > 330)).all()
        else:
            assert (angle <= 180).all()
            assert np.histogram(angle, 6, (0, 180))[0].min() > 25


# Half cheetah --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gymnasium_model() -> mujoco.MjModel:
    """Gymnasium's model. MuJoCo 4 warns of a deprecated attribute, on stderr and in a file."""
    path = Path(gym.__file__).parent / "envs" / "mujoco" / "assets" / "half_cheetah.xml"
    handler = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(lambda message: None)
    try:
        return mujoco.MjModel.from_xml_path(str(path))
    finally:
        mujoco.set_mju_user_warning(handler)


NOT_PHYSICS = (
    "cam_", "light_", "mat_", "tex_", "vis", "stat", "geom_rgba", "geom_matid", "geom_group", "names", "name_", "paths",
    "ncam", "nlight", "nmat", "ntex", "nnames", "npaths", "nbuffer", "signature", "text_", "ntext", "nbvh", "bvh_",
    "oct", "geom_user", "nuser_geom", "narena",  # unused user data, and reserved memory
)  # fmt: skip


def physics_fields(model):
    names = [n for n in dir(model) if not n.startswith("_") and not n.startswith(NOT_PHYSICS) and not n.endswith("adr")]
    fields = {n: getattr(model, n) for n in names}
    options = {f"opt.{n}": getattr(model.opt, n) for n in dir(model.opt) if not n.startswith("_")}
    return {n: np.asarray(v) for n, v in (fields | options).items() if isinstance(v, int | float | np.ndarray)}


def test_half_cheetah_model_fields_equal_gymnasium(gymnasium_model):
    as_written = mujoco.MjModel.from_xml_path(str(registry.find("world", "HalfCheetah").mjcf))
    ours, theirs = physics_fields(as_written), physics_fields(gymnasium_model)
    assert len(ours) > 200
    assert ours.keys() == theirs.keys()
    assert [n for n in ours if not np.array_equal(ours[n], theirs[n])] == []


def test_half_cheetah_steps_equal_plain_mujoco_on_gymnasiums_model(gymnasium_model):
    d = metarl.get("HalfCheetahVel")
    env = d.make(num_envs=3)
    env.begin(d.tasks("train", 3), seed=5)
    physics = physics_of(env)
    data = mujoco.MjData(gymnasium_model)
    data.qpos[:], data.qvel[:] = physics.qpos[1], physics.qvel[1]
    action = torch.rand(199, 3, 6, generator=torch.Generator().manual_seed(0)) * 2.4 - 1.2
    for a in action:
        step = env.step(a)
        data.ctrl[:] = a[1].clamp(-1, 1).double()
        mujoco.mj_step(gymnasium_model, data, nstep=5)
        np.testing.assert_array_equal(physics.qpos[1], data.qpos)
        np.testing.assert_array_equal(physics.qvel[1], data.qvel)
        expected = np.concatenate([data.qpos[1:], data.qvel]).astype(np.float32)  # 17 numbers, without x
        np.testing.assert_array_equal(step.obs[1], expected)


def test_absolute_x_is_not_observed():
    """The 20-dimensional observations of PEARL and VariBAD include x."""
    d = metarl.get("HalfCheetahVel")
    env = d.make(num_envs=1)
    env.begin(d.tasks(), seed=0)
    simulation = env.environment.simulation
    before = simulation.observe()
    physics_of(env).qpos[0, 0] += 100.0
    assert torch.equal(simulation.observe(), before)
    assert before.shape == (1, 17)


@pytest.mark.parametrize(("name", "parameter"), [("HalfCheetahVel", "velocity"), ("HalfCheetahDir", "direction")])
def test_half_cheetah_rewards_equal_their_formulas(name, parameter):
    d = metarl.get(name)
    tasks = d.tasks("train", 4)
    env = d.make(num_envs=4)
    env.begin(tasks)
    physics, value = physics_of(env), tasks.params[parameter]
    assert physics.dt == 0.05
    for a in torch.rand(50, 4, 6, generator=torch.Generator().manual_seed(0)) * 4 - 2:
        x = physics.qpos[:, 0].clone().numpy()
        step = env.step(a)
        v = (physics.qpos[:, 0].numpy() - x) / 0.05
        goal = value * v if parameter == "direction" else -np.abs(v - value)
        clipped = a.clamp(-1, 1).numpy().astype(np.float64)
        np.testing.assert_allclose(step.reward, goal - 0.05 * (clipped**2).sum(1), rtol=1e-5, atol=1e-5)
        assert set(env.environment.reward_terms) == {parameter, "control"}


def test_half_cheetah_start_states_are_gymnasiums():
    """Check qpos0 + U(-0.1, 0.1) and qvel 0.1 N(0, 1)."""
    d = metarl.get("HalfCheetahVel")
    env = d.make(num_envs=400)
    env.begin(d.tasks(), seed=0)
    physics = physics_of(env)
    noise = physics.qpos - physics.default("qpos0")
    assert noise.abs().max() <= 0.1
    assert noise.abs().max() > 0.099
    assert abs(noise.mean()) < 0.003
    assert float(noise.std()) == pytest.approx(0.1 / 3**0.5, rel=0.03)
    assert float(physics.qvel.std()) == pytest.approx(0.1, rel=0.05)
    assert abs(physics.qvel.mean()) < 0.006


@pytest.mark.parametrize(
    ("settings", "size"), [({"observation": ("velocity",)}, 9), ({"observation": ("velocity", "position")}, 17)]
)
def test_observation_setting_selects_parts_in_order(settings, size):
    d = metarl.TaskDistribution(
        "TestParts", world="HalfCheetah", goal="velocity", parameters={"velocity": metarl.Fixed(1.0)}, settings=settings
    )
    env = d.make(num_envs=2)
    obs = env.begin({"velocity": 1.0})
    assert obs.shape == (2, size)
    assert torch.equal(obs[:, :9], physics_of(env).qvel.float())


def test_weights_setting_scales_reward_terms():
    weights = {"control": 0.5, "velocity": 3.0}
    d = metarl.TaskDistribution(
        "TestWeights", world="HalfCheetah", goal="velocity", parameters={"velocity": metarl.Fixed(1.0)},
        settings={"weights": weights},
    )  # fmt: skip
    runs = []
    for distribution in (d, metarl.get("HalfCheetahVel")):
        env = distribution.make()
        env.begin({"velocity": 1.0})
        env.step(torch.ones(1, 6))
        runs.append({name: float(term[0]) for name, term in env.environment.reward_terms.items()})
    assert runs[0]["control"] == pytest.approx(10 * runs[1]["control"])
    assert runs[0]["velocity"] == pytest.approx(3 * runs[1]["velocity"])


# Every robot ---------------------------------------------------------------------------------------------------------

GOLDEN = Path(__file__).with_name("golden_trajectories.json")


def trajectory(name: str) -> list[str]:
    """Return parts of the state and the reward along a fixed trial, as hexadecimal numbers."""
    d = metarl.get(name)
    env = d.make(num_envs=2)
    task = {p: np.full(spec.shape, 0.5) for p, spec in d.specs.items()}
    env.begin(task, seed=0)
    out, size = [], torch.arange(env.action_space.shape[0])  # type: ignore[index]
    for t in range(30):
        # multiples of 1/8 are exact on every machine
        step = env.step((((3 * t + 5 * size) % 17 - 8) / 8.0).repeat(2, 1))
        if t % 10 == 9:
            physics = physics_of(env)
            out += [float(x).hex() for x in (*physics.qpos[1, :3], physics.qvel[1, -1], step.reward[1])]
    return out


@pytest.mark.parametrize("name", ["HalfCheetahDir", "HalfCheetahVel", "PointGoalSparse"])
def test_trajectory_equals_the_golden_one(name):
    """A failure means that all results change: record it in the changelog, and the new numbers in the file."""
    golden = json.loads(GOLDEN.read_text())
    if golden["mujoco"] != mujoco.__version__:
        pytest.skip(f"the golden trajectories are of MuJoCo {golden['mujoco']}, this is {mujoco.__version__}")
    ours, known = (np.array([float.fromhex(x) for x in row]) for row in (trajectory(name), golden[name]))
    np.testing.assert_allclose(ours, known, rtol=1e-6, atol=1e-6)  # the last bit of log and sin depends on the machine
