"""Robots against Gymnasium's environments: states bit for bit, observations, rewards, terminations, models, starts."""

import mujoco
import numpy as np
import pytest
import torch

from metarl import registry

STEPS = 100


def test_100_random_steps_equal_gymnasium(twin, make):
    env = make(twin.robot, twin.goal, twin.task, **twin.settings)
    physics = env.simulation.physics
    theirs = twin.theirs(physics)
    assert physics.dt == theirs.dt
    steps_with_contact = 0
    for action in twin.actions(STEPS):
        step = env.step(torch.from_numpy(action)[None])
        _, _, terminated, _, info = theirs.step(twin.scale * action.astype(np.float64))
        np.testing.assert_array_equal(physics.qpos[0], theirs.data.qpos[twin.joints])
        np.testing.assert_array_equal(physics.qvel[0], theirs.data.qvel[twin.joints])
        expected = np.concatenate(twin.obs(twin.current_data(theirs))).astype(np.float32)
        np.testing.assert_allclose(step.obs[0], expected, rtol=2e-7)  # exact except for torch's cosine
        for term, name in twin.terms.items():
            np.testing.assert_allclose(env.reward_terms[term][0], info[name], rtol=1e-6, atol=1e-7)
        assert bool(step.terminated) == terminated
        steps_with_contact += theirs.data.ncon > 0
    assert steps_with_contact > 20 or twin.robot in ("Swimmer", "Reacher", "CartPole")


def test_batched_environment_equals_gymnasium(twin, make):
    """The other environments have other actions, or are inactive."""
    env = make(twin.robot, twin.goal, twin.task, num_envs=3)
    physics = env.simulation.physics
    theirs = twin.theirs(physics)
    for t, (a, b) in enumerate(zip(twin.actions(40), twin.actions(40, seed=1), strict=True)):
        env.step(torch.from_numpy(np.stack([a, b, a])), torch.tensor([True, True, t % 3 == 0]))
        theirs.step(twin.scale * a.astype(np.float64))
    np.testing.assert_array_equal(physics.qpos[0], theirs.data.qpos[twin.joints])
    np.testing.assert_array_equal(physics.qvel[0], theirs.data.qvel[twin.joints])
    assert not torch.equal(physics.qpos[1], physics.qpos[0])
    assert not torch.equal(physics.qpos[2], physics.qpos[0])


NOT_PHYSICS = (  # appearance, names, memory, and fields without forces: sensors, tendons, keyframes, user data
    "cam_", "light_", "mat_", "tex_", "vis", "stat", "geom_rgba", "geom_matid", "geom_group", "geom_user", "names",
    "name_", "paths", "ncam", "nlight", "nmat", "ntex", "nnames", "npaths", "nbuffer", "signature", "text_", "ntext",
    "nbvh", "bvh_", "oct", "nuser", "narena", "nnumeric", "numeric_", "nsensor", "sensor_", "key_", "nkey", "ntendon",
    "tendon_", "nwrap", "wrap_", "nJten", "ten_",
)  # fmt: skip


def physics_fields(model):
    names = [n for n in dir(model) if not n.startswith(("_", *NOT_PHYSICS)) and not n.endswith("adr")]
    fields = {n: getattr(model, n) for n in names}
    options = {f"opt.{n}": getattr(model.opt, n) for n in dir(model.opt) if not n.startswith("_")}
    return {n: np.asarray(v) for n, v in (fields | options).items() if isinstance(v, int | float | np.ndarray)}


def test_model_fields_equal_gymnasium(twin):
    if twin.robot == "Reacher":
        pytest.skip("Gymnasium's model has a body for the target")
    ours = physics_fields(mujoco.MjModel.from_xml_path(str(registry.find("world", twin.robot).mjcf)))
    theirs = physics_fields(twin.theirs().model)
    assert len(ours) > 200
    assert ours.keys() == theirs.keys()
    assert [n for n in ours if not np.array_equal(ours[n], theirs[n])] == []


def test_humanoid_differs_little_from_gymnasiums_pgs_solver(twins, make):
    """Compare 100 steps of Newton's solver and PGS from the same state under the same actions."""
    twin = twins["Humanoid"]
    env = make(twin.robot, twin.goal, twin.task)
    physics = env.simulation.physics
    theirs = twin.theirs(physics, solver="pgs")
    assert theirs.model.opt.solver == mujoco.mjtSolver.mjSOL_PGS
    for action in twin.actions(STEPS):
        env.step(torch.from_numpy(action)[None])
        theirs.step(twin.scale * action.astype(np.float64))
    difference = np.abs(physics.qpos[0].numpy() - theirs.data.qpos).max()
    assert 0 < difference < 1e-3


def test_start_state_distribution_equals_gymnasium(twin, make):
    env = make(twin.robot, twin.goal, twin.task, num_envs=300)
    physics = env.simulation.physics
    theirs, rows = twin.theirs(), []
    for seed in range(300):
        theirs.reset(seed=seed)
        qpos = theirs.data.qpos[twin.joints].copy()
        if twin.robot in ("Ant", "Humanoid"):  # MuJoCo normalises Gymnasium's quaternion in the first step
            qpos[3:7] /= np.linalg.norm(qpos[3:7])
        rows.append(np.concatenate([qpos, theirs.data.qvel[twin.joints]]))
    expected, actual = np.stack(rows), torch.cat([physics.qpos, physics.qvel], 1).numpy()
    std = expected.std(0)
    assert (std > 0).all()
    np.testing.assert_allclose(actual.mean(0), expected.mean(0), atol=0.3 * std.max())
    np.testing.assert_allclose(actual.std(0), std, rtol=0.25)
    np.testing.assert_allclose(np.abs(actual).max(0), np.abs(expected).max(0), rtol=0.6)


@pytest.mark.parametrize("robot", ["Ant", "Humanoid"])
def test_start_orientations_are_unit_quaternions(robot, make):
    physics = make(robot, "direction2d", {"angle": 0.0}, num_envs=50).simulation.physics
    np.testing.assert_allclose(physics.qpos[:, 3:7].norm(dim=1), 1.0, rtol=1e-12)
    assert physics.qpos[:, 3:7].std(0).min() > 0


def test_models_compile_without_warnings(twin, capfd):
    messages = []
    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(messages.append)
    try:
        mujoco.MjModel.from_xml_path(str(registry.find("world", twin.robot).mjcf))
    finally:
        mujoco.set_mju_user_warning(before)
    assert messages == []
    assert capfd.readouterr().err == ""
