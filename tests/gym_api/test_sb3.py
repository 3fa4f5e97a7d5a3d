"""`StableVecEnv` equals stable-baselines3's DummyVecEnv of single environments, and its algorithms train on it."""

from __future__ import annotations

import numpy as np
import pytest
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

import metarl
from metarl.gym_api.env import MetarlEnv
from metarl.gym_api.sb3 import StableVecEnv


def actions(env: StableVecEnv, steps: int) -> list[np.ndarray]:
    env.action_space.seed(0)
    return [np.stack([env.action_space.sample() for _ in range(env.num_envs)]) for _ in range(steps)]


@pytest.mark.parametrize("visible", [False, True])
@pytest.mark.parametrize("which", ["robot", "game"])
def test_it_equals_a_dummy_vec_env_of_single_environments(which, visible, falling_robot, grid) -> None:
    """Episodes end early and by the horizon, tasks change, and actions are discrete and continuous."""
    distribution = {"robot": falling_robot, "game": grid}[which]
    stable = StableVecEnv(distribution, 3, task_visible=visible)
    dummy = DummyVecEnv([lambda: MetarlEnv(distribution, task_visible=visible)] * 3)
    for env in (stable, dummy):
        env.seed(5)
    np.testing.assert_array_equal(stable.reset(), dummy.reset())
    ended = 0
    for action in actions(stable, 60):
        a, b = stable.step(action), dummy.step(action)
        assert (a[1].dtype, a[2].dtype) == (np.float32, np.bool_)
        for left, right in zip(a[:3], b[:3], strict=True):
            np.testing.assert_array_equal(left, right)
        for left, right, done in zip(a[3], b[3], a[2], strict=True):
            assert left["TimeLimit.truncated"] == right["TimeLimit.truncated"]
            assert ("terminal_observation" in left) == ("terminal_observation" in right) == done
            if done:
                ended += 1
                np.testing.assert_array_equal(left["terminal_observation"], right["terminal_observation"])
    assert ended > 6
    stable.close()


@pytest.mark.filterwarnings("ignore:We recommend you to use a symmetric and normalized Box")
def test_single_environments_pass_stable_baselines3s_checker() -> None:
    check_env(MetarlEnv("PointGoalSparse"))


def mean_return(model: PPO) -> float:
    assert model.ep_info_buffer
    return float(np.mean([info["r"] for info in model.ep_info_buffer]))


def test_ppo_learns_on_one_task() -> None:
    """The best return is two steps to the goal of -0.1 each, then 13 steps of +1."""
    env = VecMonitor(StableVecEnv("GridNavi", 16, task={"goal": [2, 0]}, episodes=1))
    model = PPO("MlpPolicy", env, n_steps=30, batch_size=160, seed=0, device="cpu", learning_rate=3e-3, gamma=0.9)
    model.learn(480)
    before = mean_return(model)
    model.learn(6000)
    assert mean_return(model) > before + 3.0
    assert env.get_attr("num_envs") == [16] * 16


def test_dqn_trains_with_discrete_actions(grid) -> None:
    DQN("MlpPolicy", StableVecEnv(grid, 2), learning_starts=20, device="cpu").learn(60)


def test_options_set_the_task_and_mistakes_are_refused(falling_robot) -> None:
    env = StableVecEnv(falling_robot, 2)
    with pytest.raises(metarl.MetarlError, match=r"call reset\(\) before step"):
        env.step(np.zeros((2, 1), np.float32))
    env.set_options({"task": {"gravity": 1.0, "velocity": 0.5}})
    env.reset()
    assert env._core.task["gravity"].tolist() == [1.0, 1.0]
    with pytest.raises(metarl.MetarlError, match="holds NaN"):
        env.step(np.full((2, 1), np.nan, np.float32))
    with pytest.raises(metarl.MetarlError, match="has shape"):
        env.step(np.zeros((3, 1), np.float32))
    env.set_options([{"task": None}, {}])
    with pytest.raises(metarl.MetarlError, match="options are the same for all environments"):
        env.reset()
    with pytest.raises(metarl.MetarlError, match="make another StableVecEnv"):
        env.set_attr("num_envs", 3)
    with pytest.raises(metarl.MetarlError, match="stepped at once"):
        env.env_method("render")
    assert env.env_is_wrapped(VecMonitor) == [False, False]
