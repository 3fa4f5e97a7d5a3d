"""The single Gymnasium environment: spaces, rewards, tasks, trials, seeds and errors."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import metarl
from metarl import registry
from metarl.gym_api.env import MetarlEnv
from metarl.gym_api.env_core import LIMIT
from metarl.gym_api.registration import register_ids

NAMES = registry.names("distribution")


def play(env, steps, seed=0):
    """Return the infos of a seeded reset and of random steps, with a reset at the end of each episode."""
    env.action_space.seed(seed)
    infos = [env.reset(seed=seed)[1]]
    for _ in range(steps):
        _, _, terminated, truncated, info = env.step(env.action_space.sample())
        infos.append(info)
        if terminated or truncated:
            infos.append(env.reset()[1])
    return infos


@pytest.mark.parametrize("name", NAMES)
def test_check_env(name):
    env = gym.make(register_ids(registry.find("distribution", name)))
    check_env(env.unwrapped, skip_render_check=True)  # warnings are errors here
    if env.observation_space.dtype != np.uint8:  # a task cannot be appended to pixels
        visible = gym.make(register_ids(registry.find("distribution", name)), task_visible=True)
        check_env(visible.unwrapped, skip_render_check=True)


def test_check_env_with_discrete_actions(grid):
    check_env(MetarlEnv(grid), skip_render_check=True)


@pytest.mark.parametrize("name", NAMES)
def test_reward_is_exactly_the_sum_of_its_terms(name):
    env = MetarlEnv(name)
    env.action_space.seed(0)
    env.reset(seed=0)
    for _ in range(30):
        _, reward, terminated, truncated, info = env.step(env.action_space.sample())
        assert type(reward) is float
        assert reward == sum(info["reward_terms"].values())
        if terminated or truncated:
            env.reset()


def test_the_episode_ends_at_the_horizon():
    env = MetarlEnv("PointGoalSparse")
    env.reset(seed=0)
    ends = [env.step(np.zeros(2, np.float32))[2:4] for _ in range(40)]
    assert ends == [(False, False)] * 39 + [(False, True)]


def test_a_step_after_the_end_of_an_episode_is_refused():
    env = MetarlEnv("PointGoalSparse")
    with pytest.raises(metarl.MetarlError, match="reset"):
        env.step(np.zeros(2, np.float32))
    env.reset(seed=0)
    while not env.step(np.zeros(2, np.float32))[3]:
        pass
    with pytest.raises(metarl.MetarlError, match="reset"):
        env.step(np.zeros(2, np.float32))
    env.reset()
    env.step(np.zeros(2, np.float32))


# Tasks and trials ----------------------------------------------------------------------------------------------------


def test_a_new_task_is_drawn_every_k_episodes():
    env = MetarlEnv("HalfCheetahVel", episodes=3)
    infos = [env.reset(seed=0)[1], *(env.reset()[1] for _ in range(8))]
    assert [info["episode_in_trial"] for info in infos] == [0, 1, 2] * 3
    velocities = [info["task"]["velocity"] for info in infos]
    assert len(set(velocities)) == 3
    assert velocities == np.repeat(velocities[::3], 3).tolist()


def test_episodes_defaults_to_the_distributions_value(grid):
    env = MetarlEnv(grid)
    assert [info["episode_in_trial"] for info in play(env, 60) if "reward_terms" not in info][:6] == [0, 1] * 3


def test_splits_give_different_tasks():
    tasks = [MetarlEnv("HalfCheetahVel", split=s).reset(seed=0)[1]["task"] for s in ("train", "valid", "test", "ood")]
    assert len({task["velocity"] for task in tasks}) == 4
    assert tasks[3]["velocity"] >= 3.0


def test_a_task_given_to_the_constructor_stays():
    env = MetarlEnv("HalfCheetahVel", task={"velocity": 1.25}, episodes=1)
    assert [env.reset(seed=s)[1]["task"] for s in (0, 1, None, None)] == [{"velocity": 1.25}] * 4


def test_a_task_in_options_begins_a_trial_and_stays_until_the_next_seed():
    env = MetarlEnv("HalfCheetahVel", episodes=2)
    drawn = env.reset(seed=0)[1]["task"]
    options = {"task": {"velocity": 0.5}}
    infos = [env.reset(options=options)[1], *(env.reset()[1] for _ in range(3))]
    assert [info["episode_in_trial"] for info in infos] == [0, 1, 0, 1]
    assert all(info["task"] == {"velocity": 0.5} for info in infos)
    assert options == {"task": {"velocity": 0.5}}
    assert env.reset(options={"task": None})[1]["task"] not in (drawn, {"velocity": 0.5})
    env.reset(options=options)
    assert env.reset(seed=0)[1]["task"] == drawn


def test_a_task_set_of_one_may_be_given():
    distribution = registry.find("distribution", "PointGoalSparse")
    tasks = distribution.tasks("test", 2, seed=3)
    info = MetarlEnv(distribution).reset(seed=0, options={"task": tasks[1]})[1]
    np.testing.assert_array_equal(info["task"]["place"], tasks.params["place"][1])
    with pytest.raises(metarl.MetarlError, match="2 tasks for 1"):
        MetarlEnv(distribution, task=tasks)


def test_the_task_of_an_info_can_be_given_to_reset(grid):
    env, other = MetarlEnv(grid), MetarlEnv(grid)
    task = env.reset(seed=5)[1]["task"]
    again = other.reset(seed=9, options={"task": task})[1]["task"]
    assert task.keys() == again.keys() == {"slip", "goal", "luck"}
    assert type(task["slip"]) is float
    assert type(task["luck"]) is int
    np.testing.assert_array_equal(task["goal"], again["goal"])


def test_the_task_is_in_the_observation_with_task_visible_only():
    hidden, visible = (MetarlEnv("HalfCheetahVel", task_visible=value) for value in (False, True))
    (a, _), (b, _) = (env.reset(seed=0, options={"task": {"velocity": v}}) for env, v in ((hidden, 1.0), (hidden, 2.0)))
    np.testing.assert_array_equal(a, b)
    c, _ = visible.reset(seed=0, options={"task": {"velocity": 2.0}})
    np.testing.assert_array_equal(c, np.append(a, np.float32(2.0)))


def test_a_visible_task_has_the_order_of_the_bounds_of_the_space(grid):
    """The distribution declares slip, luck, goal; a task set sorts them by name."""
    env = MetarlEnv(grid, task={"slip": 0.25, "goal": [1, 4], "luck": 2}, task_visible=True)
    obs, _ = env.reset(seed=0)
    assert obs[2:].tolist() == [1, 4, 2, 0.25]
    assert isinstance(env.observation_space, gym.spaces.Box)
    assert env.observation_space.high[2:].tolist() == [5, 5, 3, 1]


def test_the_same_seed_gives_the_same_episodes_in_a_used_environment(grid):
    env, other = MetarlEnv(grid), MetarlEnv(grid)
    play(other, 25, seed=8)
    for a, b in zip(play(env, 25), play(other, 25), strict=True):
        assert repr(a) == repr(b)


def test_without_a_seed_the_first_reset_draws_one_from_np_random():
    a, b, c = (MetarlEnv("HalfCheetahVel") for _ in range(3))
    a.np_random, b.np_random = np.random.default_rng(4), np.random.default_rng(4)
    np.testing.assert_array_equal(a.reset()[0], b.reset()[0])
    assert not np.array_equal(a.reset()[0], c.reset()[0])


# Bad input -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "match"),
    [
        (np.full(6, np.nan, np.float32), "NaN"),
        (np.zeros(5, np.float32), r"\(5,\), expected \(6,\)"),
        (np.zeros((1, 6), np.float32), r"\(1, 6\), expected \(6,\)"),
        (np.zeros(6, np.int64), "int64, expected floating-point"),
        (0.0, r"\(\), expected \(6,\)"),
        ("left", "numbers"),
        (None, "numbers"),
    ],
)
def test_bad_actions_are_refused(action, match):
    env = MetarlEnv("HalfCheetahVel")
    env.reset(seed=0)
    with pytest.raises(metarl.MetarlError, match=match):
        env.step(action)
    env.step(np.zeros(6, np.float32))  # the episode continues


@pytest.mark.parametrize(("action", "match"), [(4, "not in Discrete"), (-1, "not in"), (1.0, "expected integer")])
def test_bad_discrete_actions_are_refused(grid, action, match):
    env = MetarlEnv(grid)
    env.reset(seed=0)
    with pytest.raises(metarl.MetarlError, match=match):
        env.step(action)
    env.step(np.int64(3))


def test_actions_out_of_bounds_are_clipped_before_their_cost():
    env, other = (MetarlEnv("HalfCheetahVel") for _ in range(2))
    env.reset(seed=0)
    other.reset(seed=0)
    a, b = env.step(np.full(6, 7.0, np.float32)), other.step(np.ones(6, np.float32))
    np.testing.assert_array_equal(a[0], b[0])
    assert a[1] == b[1]


def test_actions_may_be_float64_lists_and_read_only():
    env = MetarlEnv("HalfCheetahVel")
    env.reset(seed=0)
    frozen = np.zeros(6)
    frozen.flags.writeable = False
    for action in (frozen, [0.0] * 6, np.zeros(12, np.float32)[::2], np.zeros(6, np.float16)):
        env.step(action)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"split": "tests"}, "did you mean 'test'"),
        ({"split": 3}, "unknown split"),
        ({"episodes": 0}, "episodes"),
        ({"task": {"speed": 1.0}}, "speed"),
        ({"task": {}}, "missing: velocity"),
        ({"task": {"velocity": float("nan")}}, "finite"),
        ({"task": {"velocity": [1.0, 2.0]}}, "shape"),
        ({"task": 1.0}, "dict of parameters"),
        ({"engine": "bullet"}, "unknown engine"),
        ({"render_mode": "ascii"}, "rgb_array"),
    ],
)
def test_bad_arguments_are_refused(arguments, match):
    with pytest.raises(metarl.MetarlError, match=match):
        MetarlEnv("HalfCheetahVel", **arguments)


def test_parameters_out_of_bounds_name_the_bound(grid):
    with pytest.raises(metarl.MetarlError, match=r"'slip'.*1.5.*\[0, 1\]"):
        MetarlEnv(grid, task={"slip": 1.5, "goal": [0, 0], "luck": 1})
    with pytest.raises(metarl.MetarlError, match="only 2 tasks"):
        MetarlEnv("HalfCheetahDir", split="test")


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"options": {"tasks": {}}}, "did you mean 'task'"),
        ({"options": {"task": {"velocity": 1.0, "mass": 1.0}}}, "mass"),
        ({"seed": 2**63}, "2\\*\\*63"),
    ],
)
def test_bad_arguments_of_reset_are_refused(arguments, match):
    with pytest.raises(metarl.MetarlError, match=match):
        MetarlEnv("HalfCheetahVel").reset(**arguments)


# Events in a step ----------------------------------------------------------------------------------------------------


def test_diverged_physics_truncate_the_episode_and_are_in_info():
    env = MetarlEnv("HalfCheetahVel")
    env.reset(seed=0)
    env._core.environment.simulation.physics.qvel[0, 2] = 1e11  # type: ignore[attr-defined]
    obs, reward, terminated, truncated, info = env.step(np.zeros(6, np.float32))
    assert (terminated, truncated, info["diverged"]) == (False, True, True)
    assert reward == sum(info["reward_terms"].values()) == 0.0
    assert np.abs(obs).max() < LIMIT
    assert "diverged" not in env.reset()[1]


def test_overflow_is_in_info_and_does_not_end_the_episode(grid):
    env = MetarlEnv(grid, task={"slip": 0.0, "goal": [0, 5], "luck": 0})
    env.reset(seed=0)
    infos = [env.step(0) for _ in range(5)]
    assert infos[-1][4]["overflow"] is True
    assert not infos[-1][3]


def test_the_observation_space_is_bounded_float32():
    env = MetarlEnv("HalfCheetahVel")
    space = env.observation_space
    assert isinstance(space, gym.spaces.Box)
    assert space.is_bounded()
    assert space.dtype == np.float32
    assert all(np.isfinite(info["task"]["velocity"]) for info in play(env, 20))


def test_every_instance_has_its_own_metadata():
    env = MetarlEnv("HalfCheetahVel")
    assert env.metadata is not MetarlEnv.metadata
    assert env.metadata["render_fps"] == 20
    env.close()
    env.close()
