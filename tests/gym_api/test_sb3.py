"""The face for stable-baselines3, beside its own DummyVecEnv over our Gymnasium environments."""

from __future__ import annotations

import numpy as np
import pytest
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

import metarl
from metarl.gym_api.env import ScalarEnv
from metarl.gym_api.sb3 import StableVecEnv


def actions(env: StableVecEnv, steps: int) -> list[np.ndarray]:
    env.action_space.seed(0)
    return [np.stack([env.action_space.sample() for _ in range(env.num_envs)]) for _ in range(steps)]


@pytest.mark.parametrize("visible", [False, True])
@pytest.mark.parametrize("which", ["robot", "game"])
def test_it_is_stable_baselines3s_vector_of_our_environments(which, visible, falling_robot, grid) -> None:
    """Episodes that end early and by the horizon, tasks drawn anew, discrete and continuous actions."""
    family = {"robot": falling_robot, "game": grid}[which]
    ours = StableVecEnv(family, 3, task_visible=visible)
    theirs = DummyVecEnv([lambda: ScalarEnv(family, task_visible=visible)] * 3)
    for env in (ours, theirs):
        env.seed(5)
    np.testing.assert_array_equal(ours.reset(), theirs.reset())
    ended = 0
    for action in actions(ours, 60):
        a, b = ours.step(action), theirs.step(action)
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
    ours.close()


@pytest.mark.filterwarnings("ignore:We recommend you to use a symmetric and normalized Box")
def test_our_environments_pass_stable_baselines3s_checker() -> None:
    check_env(ScalarEnv("PointGoalSparse"))


def mean_return(model: PPO) -> float:
    assert model.ep_info_buffer
    return float(np.mean([info["r"] for info in model.ep_info_buffer]))


def test_ppo_learns_on_one_task() -> None:
    """Two steps to the goal, then stay: 13 times +1 in 15 steps, less 0.1 for each of the others."""
    env = VecMonitor(StableVecEnv("GridNavi", 16, task={"goal": [2, 0]}, episodes=1))
    model = PPO("MlpPolicy", env, n_steps=30, batch_size=160, seed=0, device="cpu", learning_rate=3e-3, gamma=0.9)
    model.learn(480)
    before = mean_return(model)
    model.learn(6000)
    assert mean_return(model) > before + 3.0
    assert env.get_attr("num_envs") == [16] * 16


def test_dqn_takes_discrete_actions(grid) -> None:
    DQN("MlpPolicy", StableVecEnv(grid, 2), learning_starts=20, device="cpu").learn(60)


def test_tasks_and_mistakes(falling_robot) -> None:
    env = StableVecEnv(falling_robot, 2)
    with pytest.raises(metarl.MetarlError, match=r"call reset\(\) before step"):
        env.step(np.zeros((2, 1), np.float32))
    env.set_options({"task": {"gravity": 1.0, "velocity": 0.5}})
    env.reset()
    assert env._lanes.task["gravity"].tolist() == [1.0, 1.0]
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
