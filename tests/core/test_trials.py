"""Trials: slots, resting environments, restarts, errors, and independence of the other environments of a batch."""

from typing import Any

import mujoco
import numpy as np
import pytest
import torch

import metarl
from metarl.core.environment import Environment
from metarl.envs.physics import Physics
from metarl.errors import MetarlError

ROBOTS = ["TestFalling", "HalfCheetahVel", "PointGoalSparse"]
STEPS = 50  # length of the trajectories that are compared bit for bit


@pytest.fixture
def distribution(request, falling_robot):
    return metarl.get(request.param)


def for_each(*names):
    return pytest.mark.parametrize("distribution", names, indirect=True)


def physics_of(env: Any) -> Physics:
    return getattr(env, "environment", env).simulation.physics


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


# Slots and resting environments --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["HalfCheetahDir", "PointGoalSparse"])
def test_trial_has_k_slots_of_h_steps(name, roll):
    env = metarl.get(name).make(num_envs=2)
    h, k = env.horizon, env.episodes
    _, steps = roll(env, env.environment.distribution.tasks("train", 2))
    assert len(steps) == h * k
    assert env.done
    for t, step in enumerate(steps, 1):
        assert step.truncated.tolist() == [t % h == 0] * 2
        assert not step.terminated.any()
        assert not step.resting.any()
        assert not step.flags.any()
        restarted = t % h == 0 and t < h * k
        assert torch.equal(step.obs, step.final_obs) != restarted
        assert step.reward.dtype == step.obs.dtype == step.final_obs.dtype == torch.float32


def gravities(distribution, *values):
    return distribution.task_set(metarl.TaskSet({"gravity": list(values), "velocity": [0.5] * len(values)}))


def test_fallen_environments_rest_until_the_slot_is_over(falling_robot):
    env = falling_robot.make(num_envs=4)
    env.begin(gravities(falling_robot, 0.01, 8.0, 8.0, 0.01), seed=0)
    physics, falls, time, step = physics_of(env), 0, 0, None
    while env.episode == 0:
        resting, time = env.resting.clone(), env.time
        before = physics.qpos.clone(), physics.qvel.clone(), env.environment._observe()
        step = env.step(torch.zeros(4, 1))
        assert torch.equal(step.resting, resting)
        for flags in (step.reward, step.terminated, step.truncated, step.flags):
            assert not flags[resting].any()
        assert not torch.stack([term[resting] for term in env.environment.reward_terms.values()]).any()
        assert torch.equal(step.final_obs[resting], before[2][resting])
        if env.episode == 0:
            assert torch.equal(physics.qpos[resting], before[0][resting])
            assert torch.equal(physics.qvel[resting], before[1][resting])
        assert (
            torch.equal(step.terminated, falling_robot.simulated_world.fallen(physics) & ~resting) or env.episode == 1
        )
        falls += int(step.terminated.sum())
    assert time == env.horizon - 1  # two environments do not fall
    assert falls == 2
    assert step is not None
    assert step.truncated.tolist() == [True, False, False, True]
    assert not env.resting.any()  # all environments begin the next episode at the same step
    assert env.environment.time.tolist() == [0] * 4
    assert env.environment.episode.tolist() == [1] * 4


def test_slot_ends_early_when_all_environments_rest(falling_robot, roll):
    env = falling_robot.make(num_envs=3)
    _, steps = roll(env, gravities(falling_robot, 9.0, 9.0, 10.0))
    assert env.done
    assert len(steps) < 2 * env.horizon
    ends = torch.stack([s.terminated | s.truncated for s in steps])
    assert ends.sum(0).tolist() == [2, 2, 2]  # K episodes each
    last_of_first = max(int(column.nonzero()[0]) for column in ends.T)
    assert [not torch.equal(s.obs, s.final_obs) for s in steps].index(True) == last_of_first


def test_falls_do_not_terminate_without_fall_ends(falling_robot, roll):
    standing = metarl.TaskDistribution(
        "TestStanding", world="TestPole", goal="velocity", parameters=falling_robot.parameters,
        settings={"fall_ends": False}, horizon=20, episodes=1,
    )  # fmt: skip
    env = standing.make(num_envs=2)
    assert not env.environment.simulation.may_terminate
    _, steps = roll(env, gravities(standing, 9.0, 9.0))
    assert len(steps) == 20
    assert not torch.stack([s.terminated for s in steps]).any()


def test_derived_fields_match_the_current_state(falling_robot, roll):
    env = falling_robot.make(num_envs=3)
    first, steps = roll(env, falling_robot.tasks("train", 3))
    for obs in (first, *(s.obs for s in steps), *(s.final_obs for s in steps)):
        x, angle, tip = obs[:, 0], obs[:, 1], obs[:, 4:]
        torch.testing.assert_close(tip[:, 0], x + 0.5 * angle.sin(), rtol=0, atol=1e-6)
        torch.testing.assert_close(tip[:, 2], 0.5 * angle.cos(), rtol=0, atol=1e-6)


# Errors --------------------------------------------------------------------------------------------------------------


def test_steps_outside_a_trial_raise(falling_robot, roll):
    env = falling_robot.make()
    with pytest.raises(MetarlError, match=r"call begin\(tasks\) before"):
        env.step(torch.zeros(1, 1))
    roll(env, falling_robot.tasks())
    with pytest.raises(MetarlError, match="over after 2 episodes"):
        env.step(torch.zeros(1, 1))
    env.begin(falling_robot.tasks())
    env.step(torch.zeros(1, 1))


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (torch.zeros(1, 1), r"shape \(1, 1\), expected \(2, 1\)"),
        (torch.zeros(2), r"shape \(2,\), expected \(2, 1\)"),
        (torch.zeros(2, 1, dtype=torch.int64), "dtype torch.int64, expected a floating-point"),
        (torch.zeros(2, 1, device="meta"), "on meta, the environment is on cpu"),
        (np.zeros((2, 1), np.float32), "torch tensor"),
    ],
)
def test_invalid_actions_raise(falling_robot, action, message):
    env = falling_robot.make(num_envs=2)
    env.begin(falling_robot.tasks())
    with pytest.raises(MetarlError, match=message):
        env.step(action)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda d: d.make(num_envs=3).begin(d.tasks("train", 2)), "2 tasks for 3 environments"),
        (lambda d: d.make(num_envs=0), "num_envs must be a whole number of at least 1, got 0"),
        (lambda d: d.make(engine="bullet"), "unknown engine 'bullet'"),
        (lambda d: d.make(num_envs=2).begin(d.tasks(), keys=torch.tensor([1])), r"keys have shape \(1,\), expected"),
        (lambda d: d.make().begin(d.tasks(), seed=-1), "0 <= seed"),
        (lambda d: d.make().begin({"velocity": 1.0}), "missing: gravity"),
        (lambda d: d.make().begin({"velocity": 1.0, "gravity": 1e9}), r"1000000000.0 is too high"),
        (lambda d: d.make().begin({"velocity": 1.0, "gravity": 1, "gravty": 1}), "did you mean 'gravity'"),
        (lambda d: d.make().begin({"velocity": "fast", "gravity": 1.0}), "give numbers"),
        (lambda d: d.make().begin(3), "a TaskSet or a dict of parameters, got int"),
        (lambda d: Environment(d).reset(), "assign tasks before"),
        (lambda d: Environment(d, 2).assign(d.tasks("train", 2), masked(1, 0)), "give every environment a task"),
    ],
)  # fmt: skip
def test_invalid_arguments_raise_with_the_cure(falling_robot, use, message):
    with pytest.raises(MetarlError, match=message):
        use(falling_robot)


def test_nan_action_is_flagged_and_replaced_by_zero(falling_robot):
    def run(actions):
        env = falling_robot.make(num_envs=2)
        env.begin(gravities(falling_robot, 0.1, 0.1))
        return env.step(torch.tensor(actions)[:, None]), env.step(torch.ones(2, 1))

    with_nan, without = run([float("nan"), 0.5]), run([0.0, 0.5])
    assert with_nan[0].flags.tolist() == [1, 0]
    assert with_nan[1].flags.tolist() == [0, 0]
    for a, b in zip(with_nan, without, strict=True):
        assert same(a[:6], b[:6])


def test_actions_are_clipped(falling_robot):
    def run(value):
        env = falling_robot.make()
        env.begin(gravities(falling_robot, 0.1))
        return env.step(torch.full((1, 1), value))

    assert all(same(run(value), run(1.0)) for value in (1.5, 1e30, float("inf")))
    assert run(1.0).reward == run(1.5).reward  # the cost is that of the clipped action
    assert not same(run(0.9), run(1.0))


# Independence of the batch -------------------------------------------------------------------------------------------


@for_each(*ROBOTS)
@pytest.mark.parametrize("num_envs", [7, 18])
def test_batch_equals_single_environments(distribution, num_envs, roll):
    tasks, keys = distribution.tasks("train", num_envs, seed=2), torch.arange(num_envs) * 3 + 1
    first, batched = roll(distribution.make(num_envs), tasks, 5, keys, STEPS)
    for i in {0, 1, num_envs // 2, num_envs - 1}:
        start, single = roll(distribution.make(1), tasks[i], 5, keys[i : i + 1], STEPS)
        assert torch.equal(start[0], first[i])
        for t, (one, all_) in enumerate(zip(single, batched, strict=False)):
            if one.resting[0] or one.terminated[0] or one.truncated[0]:
                break  # then the single environment begins its next episode, and the batch rests
            assert same((x[0] for x in one), (x[i] for x in all_)), t


def test_second_start_state_does_not_depend_on_the_length_of_the_first_episode(falling_robot):
    """A single environment restarts immediately after a fall; in a batch it rests until the other episodes end."""
    tasks = gravities(falling_robot, 9.0, 0.01)
    env, single = falling_robot.make(2), falling_robot.make(1)

    def second_start(env, tasks):
        obs = env.begin(tasks, 1)
        while env.episode == 0:
            obs = env.step(torch.zeros(env.num_envs, 1)).obs
        return obs

    assert torch.equal(second_start(env, tasks)[0], second_start(single, tasks[0])[0])


@for_each(*ROBOTS)
def test_equal_seeds_give_equal_trajectories_and_other_seeds_other_starts(distribution, roll):
    env, tasks = distribution.make(3), distribution.tasks("train", 3)
    first, steps = roll(env, tasks, 7, None, 20)
    for used in (env, distribution.make(3)):  # a used environment and a new one
        start, repeated = roll(used, tasks, 7, None, 20)
        assert torch.equal(start, first)
        assert all(same(a, b) for a, b in zip(repeated, steps, strict=True))
    other = env.begin(tasks, 8)
    assert not (other == first).all(1).any()


@for_each(*ROBOTS)
def test_start_states_depend_only_on_seed_and_key(distribution):
    """The task, the size of the batch and the position in the batch have no effect."""
    keys = torch.tensor([4, 9, 4, 1])
    obs = distribution.make(4).begin(distribution.tasks("train", 4, seed=1), 3, keys)
    assert torch.equal(obs[0], obs[2])
    more = distribution.make(6).begin(distribution.tasks("train", 6, seed=2), 3, torch.tensor([0, 1, 2, 9, 4, 3]))
    assert torch.equal(more[[4, 3, 4, 1]], obs)
    assert len({tuple(row.tolist()) for row in more}) == 6  # initial states differ


# Tasks and their physics ---------------------------------------------------------------------------------------------


def masked(*values):
    return torch.tensor(values, dtype=torch.bool)


def test_masked_assign_and_reset_keep_other_environments():
    d = cheetah("mass", "friction")
    tasks, others = d.tasks("train", 3, seed=0), d.tasks("train", 3, seed=1)
    env, undisturbed = Environment(d, 3), Environment(d, 3)
    for e in (env, undisturbed):
        e.assign(tasks)
        e.seed(0)
        e.reset()
    actions = torch.rand(20, 3, 6, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for t in range(20):
        a, b = env.step(actions[t]), undisturbed.step(actions[t])
        keep = [0, 2] if t >= 10 else [0, 1, 2]
        assert same((x[keep] for x in a), (x[keep] for x in b))
        if t == 9:
            env.assign(others, masked(0, 1, 0))
            env.reset(masked(0, 1, 0))
            assert env.time.tolist() == [10, 0, 10]
            assert env.episode.tolist() == [0, 1, 0]
    assert not torch.equal(env._observe()[1], undisturbed._observe()[1])
    physics = physics_of(env)
    expected = physics.default("body_mass") * float(others.params["mass"][1])
    assert torch.equal(physics.field("body_mass")[1], expected)
    before = env._observe()
    assert torch.equal(env.reset(masked(0, 0, 0)), before)  # no environment is reset


def test_start_state_depends_only_on_the_episodes_of_its_own_environment(falling_robot):
    """Resets of other environments in between have no effect."""
    one_by_one, batched = Environment(falling_robot, 3), Environment(falling_robot, 3)
    for env in (one_by_one, batched):
        env.assign(falling_robot.tasks("train", 3))
        env.seed(4)
        env.reset()
    third = [batched.reset() for _ in range(2)][-1]
    one_by_one.reset(masked(1, 0, 0))
    one_by_one.reset(masked(0, 1, 1))
    one_by_one.reset(masked(0, 0, 1))
    assert not torch.equal(one_by_one.reset(masked(1, 0, 0))[1], third[1])
    assert torch.equal(one_by_one.reset(masked(0, 1, 0)), third)


def cheetah(*names):
    samplers = {name: metarl.LogUniform(0.4, 2.5) for name in names}
    return metarl.TaskDistribution("TestCheetah", world="HalfCheetah", goal="velocity", parameters=samplers)


FIELDS = {
    "mass": ("body_mass", "body_inertia"),
    "gravity": ("opt.gravity",),
    "friction": ("geom_friction",),
    "damping": ("dof_damping",),
    "strength": ("actuator_gear",),
}


def edited(robot, task):
    """Return the robot's model, with the fields of a task scaled and derived constants of MuJoCo, and its data."""
    model = mujoco.MjModel.from_xml_path(str(robot.mjcf))
    for name, factor in task.items():
        for field in FIELDS[name]:
            owner = model.opt if field.startswith("opt.") else model
            getattr(owner, field.removeprefix("opt."))[:] *= factor
    data = mujoco.MjData(model)
    mujoco.mj_setConst(model, data)
    return model, data


@pytest.mark.parametrize("names", [*[(name,) for name in FIELDS], tuple(FIELDS)], ids=lambda names: "+".join(names))
def test_task_equals_a_plain_model_with_the_same_edits(names):
    """Compare 50 steps bit for bit, after other tasks: factors do not compound, and derived constants are MuJoCo's."""
    d = cheetah(*names)
    env = d.make(num_envs=3)
    env.begin(d.tasks("train", 3, seed=0))
    env.step(torch.ones(3, 6))
    tasks = d.tasks("train", 3, seed=1)
    env.begin(tasks)
    physics = physics_of(env)
    plain = [edited(d.simulated_world, tasks.task(i)) for i in range(3)]
    for i, (model, data) in enumerate(plain):
        mujoco.mj_resetData(model, data)
        data.qpos[:], data.qvel[:] = physics.qpos[i], physics.qvel[i]
        ours, _ = physics.single(i)
        for field in ("body_subtreemass", "dof_invweight0", "body_invweight0", "actuator_acc0", "dof_M0"):
            np.testing.assert_array_equal(getattr(ours, field), getattr(model, field), err_msg=field)
    actions = torch.rand(STEPS, 3, 6, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for action in actions:
        env.step(action)
        for i, (model, data) in enumerate(plain):
            data.ctrl[:] = action[i].double()
            mujoco.mj_step(model, data, nstep=5)
            np.testing.assert_array_equal(physics.qpos[i], data.qpos)
            np.testing.assert_array_equal(physics.qvel[i], data.qvel)
    assert np.ptp(physics.qpos[:, 0].numpy()) > 1e-3  # the tasks change the motion


def test_neutral_task_equals_the_compiled_model():
    d = cheetah(*FIELDS)
    env = d.make()
    env.begin(dict.fromkeys(FIELDS, 1.0))
    physics = physics_of(env)
    for fields in FIELDS.values():
        for field in fields:
            assert torch.equal(physics.field(field)[0], physics.default(field))
