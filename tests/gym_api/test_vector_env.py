"""The vector Gymnasium environment equals single ones: infos, autoreset modes, tasks, seeds and wrappers."""

import copy

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from gymnasium.wrappers.vector import DictInfoToList, NormalizeObservation, RecordEpisodeStatistics

import metarl
from metarl import registry
from metarl.gym_api.checker_tools import Recording, find_difference
from metarl.gym_api.env import MetarlEnv
from metarl.gym_api.registration import register_ids
from metarl.gym_api.vector_env import VectorEnv
from metarl.gym_api.vector_env_checker import check_vector_env

NAMES = registry.names("distribution")
ONE_OF_EACH_WORLD = {registry.find("distribution", name).world: name for name in NAMES}.values()
MODES = list(AutoresetMode)


def task_of(name):
    return MetarlEnv(name).reset(seed=77)[1]["task"]


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        # One distribution of each world in one mode, by turns, is a quick test.
        pytest.param(name, mode, marks=() if name in ONE_OF_EACH_WORLD and i % len(MODES) == j else pytest.mark.slow)
        for i, name in enumerate(NAMES)
        for j, mode in enumerate(MODES)
    ],
)
def test_check_vector_env_passes(name, mode):
    check_vector_env(
        lambda: gym.make_vec(
            register_ids(registry.find("distribution", name)), 3, autoreset_mode=mode, max_episode_steps=4
        ),
        lambda: TimeLimit(MetarlEnv(name), 4),
        options={"task": task_of(name)},
    )


@pytest.mark.parametrize("mode", MODES)
def test_check_vector_env_passes_if_episodes_end_at_different_steps(grid, mode):
    check_vector_env(lambda: VectorEnv(grid, 4, autoreset_mode=mode), lambda: MetarlEnv(grid), seed=3)


@pytest.mark.parametrize("mode", MODES)
def test_it_equals_single_environments_with_infos(grid, mode):
    """Terminations, truncations, divergence and overflow occur in different environments at different steps."""
    vector = Recording(VectorEnv(grid, 5, autoreset_mode=mode), 0)
    single = Recording(SyncVectorEnv([lambda: MetarlEnv(grid)] * 5, autoreset_mode=mode), 0)
    for _ in range(60):
        vector.step()
        single.step()
    assert find_difference(single.calls, vector.calls) == ""
    steps = [call for call in vector.calls if "rewards" in call]
    assert any(step["terminations"].any() for step in steps)
    infos = repr([step["infos"] for step in steps])
    assert all(f"'{key}'" in infos for key in ("overflow", "diverged", "reward_terms", "task", "episode_in_trial"))


def test_a_robots_vector_equals_single_environments_with_infos():
    vector = Recording(VectorEnv("HalfCheetahVel", 3, max_episode_steps=10), 5)
    single = Recording(SyncVectorEnv([lambda: TimeLimit(MetarlEnv("HalfCheetahVel"), 10)] * 3), 5)
    for _ in range(40):
        vector.step()
        single.step()
    assert find_difference(single.calls, vector.calls) == ""


def test_an_environment_does_not_depend_on_the_number_of_environments():
    few, many = (Recording(VectorEnv("HalfCheetahVel", n, max_episode_steps=6), 0) for n in (2, 9))
    for _ in range(20):
        few.step()
        many.step()
    for call in range(21):
        for i in range(2):
            assert find_difference(few.of_environment(call, i), many.of_environment(call, i)) == ""


@pytest.mark.parametrize("name", NAMES)
def test_rewards_are_exactly_the_sum_of_their_terms(name):
    env = VectorEnv(name, 7)
    env.action_space.seed(0)
    env.reset(seed=0)
    for _ in range(20):
        _, rewards, _, _, infos = env.step(env.action_space.sample())
        terms = [v for key, v in infos.get("reward_terms", {}).items() if not key.startswith("_")]
        np.testing.assert_array_equal(sum(terms, np.zeros(7, np.float32)), rewards)  # no terms while all are reset


def test_max_episode_steps_shortens_episodes_and_never_lengthens_them():
    for steps, expected in ((7, 7), (1000, 40)):
        env = gym.make_vec("metarl/PointGoalSparse-v0", 2, max_episode_steps=steps)
        env.reset(seed=0)
        count = 1
        while not env.step(np.zeros((2, 2), np.float32))[3].all():
            count += 1
        assert count == expected
    with pytest.raises(metarl.MetarlError, match="max_episode_steps"):
        VectorEnv("PointGoalSparse", max_episode_steps=0)


# Autoreset -----------------------------------------------------------------------------------------------------------


def test_autoreset_modes_by_member_and_by_value():
    for mode in MODES:
        assert VectorEnv("PointGoalSparse", autoreset_mode=mode.value).metadata["autoreset_mode"] is mode
    env = VectorEnv("PointGoalSparse")
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    assert env.metadata is not VectorEnv.metadata
    with pytest.raises(metarl.MetarlError, match="did you mean 'SameStep'"):
        VectorEnv("PointGoalSparse", autoreset_mode="same_step")


def test_next_step_ignores_the_actions_of_environments_that_ended():
    env = VectorEnv("PointGoalSparse", 2, max_episode_steps=1)
    env.reset(seed=0)
    env.step(np.zeros((2, 2), np.float32))
    _, rewards, _, truncations, infos = env.step(np.full((2, 2), np.nan, np.float32))
    assert not rewards.any()
    assert not truncations.any()
    assert "reward_terms" not in infos


def test_disabled_refuses_a_step_after_an_end():
    env = VectorEnv("PointGoalSparse", 3, autoreset_mode="Disabled", max_episode_steps=2)
    env.reset(seed=0)
    actions = np.zeros((3, 2), np.float32)
    env.step(actions)
    env.reset(options={"reset_mask": np.array([False, True, False])})
    env.step(actions)
    with pytest.raises(metarl.MetarlError, match=r"\[0, 2\] are over"):
        env.step(actions)
    env.reset(options={"reset_mask": np.array([True, False, True])})
    env.step(actions)


@pytest.mark.parametrize("mode", MODES)
def test_reset_mask_in_every_mode(mode):
    env = VectorEnv("HalfCheetahVel", 3, autoreset_mode=mode, episodes=1)
    before, infos = env.reset(seed=0)
    mask = np.array([False, True, False])
    after, some = env.reset(options={"reset_mask": mask})
    np.testing.assert_array_equal(before[~mask], after[~mask])
    assert not np.array_equal(before[1], after[1])
    np.testing.assert_array_equal(some["_task"], mask)
    assert some["task"]["velocity"][1] not in (0.0, infos["task"]["velocity"][1])
    assert some["task"]["velocity"][0] == 0.0  # not in the mask


def test_a_reset_of_an_environment_that_ended_cancels_its_autoreset():
    env = VectorEnv("PointGoalSparse", 2, max_episode_steps=2)
    env.reset(seed=0)
    actions = np.ones((2, 2), np.float32)
    env.step(actions)
    env.step(actions)
    env.reset(options={"reset_mask": np.array([True, False])})
    _, rewards, *_ = env.step(actions)
    assert rewards[0] != 0.0
    assert rewards[1] == 0.0


# Tasks ---------------------------------------------------------------------------------------------------------------


def velocities(infos):
    return infos["task"]["velocity"].tolist()


def test_new_tasks_are_drawn_every_k_episodes():
    env = VectorEnv("HalfCheetahVel", 4, episodes=2, max_episode_steps=1, autoreset_mode="SameStep")
    drawn = [velocities(env.reset(seed=0)[1])]
    episodes = []
    for _ in range(5):
        infos = env.step(np.zeros((4, 6), np.float32))[4]
        assert velocities(infos["final_info"]) == drawn[-1]
        drawn.append(velocities(infos))
        episodes.append(infos["episode_in_trial"].tolist())
    assert episodes == [[1] * 4, [0] * 4, [1] * 4, [0] * 4, [1] * 4]
    assert drawn[0] == drawn[1] != drawn[2] == drawn[3] != drawn[4] == drawn[5]
    assert len({v for row in drawn for v in row}) == 12


def test_tasks_may_be_given_as_dict_list_or_task_set():
    distribution = registry.find("distribution", "HalfCheetahVel")
    tasks = distribution.tasks("valid", 3, seed=1)
    expected = tasks.params["velocity"].tolist()
    env = VectorEnv(distribution, 3)
    for given, expected_velocities in (
        ({"velocity": 0.5}, [0.5] * 3),
        ([{"velocity": v} for v in (0.1, 0.2, 0.3)], [0.1, 0.2, 0.3]),
        (tasks, expected),
        (tasks[1], [expected[1]] * 3),
    ):
        assert velocities(env.reset(options={"task": given})[1]) == expected_velocities
        assert velocities(VectorEnv(distribution, 3, task=given).reset(seed=3)[1]) == expected_velocities
    assert velocities(env.reset()[1]) == [expected[1]] * 3  # the last task stays


def test_a_task_may_be_given_to_some_environments():
    env = VectorEnv("HalfCheetahVel", 3, episodes=1)
    drawn = velocities(env.reset(seed=0)[1])
    options = {"task": [{"velocity": v} for v in (0.1, 0.2, 0.3)], "reset_mask": np.array([False, True, False])}
    before = copy.deepcopy(options)
    env.reset(options=options)
    assert find_difference(before, options) == ""
    assert velocities(env.step(np.zeros((3, 6), np.float32))[4]) == [drawn[0], 0.2, drawn[2]]
    after = velocities(env.reset()[1])  # environment 1 keeps its task, the others draw new ones
    assert after[1] == 0.2
    assert not {after[0], after[2]} & {*drawn, 0.1, 0.3}


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"task": [{"velocity": 1.0}] * 2}, "2 tasks for 3 environments"),
        ({"task": []}, "at least one task"),
        ({"task": {"velocity": 1.0, "speed": 2.0}}, "speed"),
        ({"mask": np.ones(3, bool)}, "unknown option of reset 'mask'"),
        ({"reset_mask": [True, False, False]}, "NumPy array of bool"),
        ({"reset_mask": np.ones(3, np.int64)}, "NumPy array of bool"),
        ({"reset_mask": np.ones(2, bool)}, r"\(3,\), got bool \(2,\)"),
        ({"reset_mask": np.zeros(3, bool)}, "at least one True"),
    ],
)
def test_bad_options_are_refused(options, match):
    env = VectorEnv("HalfCheetahVel", 3)
    first, _ = env.reset(seed=0)
    with pytest.raises(metarl.MetarlError, match=match):
        env.reset(options=options)
    np.testing.assert_array_equal(env.reset(seed=0)[0], first)


def test_the_first_reset_must_reset_all_environments():
    env = VectorEnv("HalfCheetahVel", 2)
    with pytest.raises(metarl.MetarlError, match="reset"):
        env.step(np.zeros((2, 6), np.float32))
    with pytest.raises(metarl.MetarlError, match="first reset"):
        env.reset(options={"reset_mask": np.array([True, False])})
    env.reset(options={"reset_mask": np.ones(2, bool)})


@pytest.mark.parametrize(
    ("actions", "match"),
    [
        (np.zeros((2, 5), np.float32), r"\(2, 5\), expected \(2, 6\)"),
        (np.zeros(6, np.float32), r"\(6,\), expected \(2, 6\)"),
        (np.zeros((2, 6), np.int32), "int32, expected floating-point"),
        (np.array([[0.0] * 6, [np.nan] * 6]), "NaN in 6 of 12"),
        ([[0.0] * 6, [0.0]], "rectangular"),
    ],
)
def test_bad_actions_are_refused(actions, match):
    env = VectorEnv("HalfCheetahVel", 2)
    env.reset(seed=0)
    with pytest.raises(metarl.MetarlError, match=match):
        env.step(actions)


# Seeds ---------------------------------------------------------------------------------------------------------------


def test_resets_without_a_seed_differ_and_the_first_draws_from_np_random():
    a, b, c = (VectorEnv("HalfCheetahVel", 2) for _ in range(3))
    a.np_random, b.np_random = np.random.default_rng(1), np.random.default_rng(1)
    first, _ = a.reset()
    np.testing.assert_array_equal(first, b.reset()[0])
    assert not np.array_equal(first, c.reset()[0])
    assert not np.array_equal(first, a.reset()[0])


def test_a_seed_with_a_mask_seeds_the_masked_environments_only():
    env = VectorEnv("HalfCheetahVel", 3)
    whole, _ = env.reset(seed=20)
    before, _ = env.reset(seed=10)
    mask = np.array([False, False, True])
    after, _ = env.reset(seed=20, options={"reset_mask": mask})
    np.testing.assert_array_equal(after[2], whole[2])
    np.testing.assert_array_equal(after[:2], before[:2])


def test_seeds_out_of_range_are_refused():
    env = VectorEnv("PointGoalSparse", 2)
    env.reset(seed=2**63 - 2)
    with pytest.raises(metarl.MetarlError, match="2\\*\\*63"):
        env.reset(seed=2**63 - 1)
    with pytest.raises(metarl.MetarlError, match="0 <= seed"):
        env.reset(seed=-1)


# Gymnasium's wrappers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_the_wrapper_record_episode_statistics_agrees(grid, mode):
    env = RecordEpisodeStatistics(VectorEnv(grid, 4, autoreset_mode=mode))
    env.action_space.seed(0)
    env.reset(seed=0)
    returns, lengths, ended = np.zeros(4), np.zeros(4, int), np.zeros(4, bool)
    episodes = 0
    for _ in range(60):
        if mode is AutoresetMode.DISABLED and ended.any():
            env.reset(options={"reset_mask": ended.copy()})
            ended[:] = False
        _, rewards, terminations, truncations, infos = env.step(env.action_space.sample())
        returns += rewards
        lengths += ~ended if mode is AutoresetMode.NEXT_STEP else 1
        ended = terminations | truncations
        assert ("episode" in infos) == ended.any()
        if ended.any():
            np.testing.assert_allclose(infos["episode"]["r"][ended], returns[ended])
            np.testing.assert_array_equal(infos["episode"]["l"][ended], lengths[ended])
            episodes += ended.sum()
        returns[ended] = lengths[ended] = 0
    assert env.episode_count == episodes > 20


def test_gymnasiums_vector_wrappers_work(grid):
    env = DictInfoToList(VectorEnv(grid, 2))
    _, infos = env.reset(seed=0)
    assert [info["episode_in_trial"] for info in infos] == [0, 0]
    env = NormalizeObservation(VectorEnv("HalfCheetahVel", 2))
    assert env.reset(seed=0)[0].shape == (2, 17)


# Speed ---------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_step_of_256_keeps_at_least_80_percent_of_bare_physics():
    from time import perf_counter

    from mujoco.batch import Batch

    env = VectorEnv("HalfCheetahVel", 256)
    env.reset(seed=0)
    model = env._core.distribution.simulated_world.model  # type: ignore[attr-defined]
    batch = Batch(model, 256, nthread=env._core.environment.simulation.physics.batch.nthread)  # type: ignore[attr-defined]
    ctrl = batch.bind("ctrl")
    actions = np.random.default_rng(0).uniform(-1, 1, (190, 256, 6)).astype(np.float32)
    bare, full = [], []
    for action in actions:  # alternate, so that both have the same background noise
        start = perf_counter()
        ctrl[:] = action
        batch.step(None, 5)
        middle = perf_counter()
        env.step(action)
        bare.append(middle - start)
        full.append(perf_counter() - middle)
    assert np.median(bare[20:]) / np.median(full[20:]) > 0.8
