"""Agents that are given the task, compared with closed forms and plain loops."""

import gymnasium as gym
import numpy as np
import pytest

import metarl
from metarl import registry
from metarl.training.evaluate import evaluate_agent


def tasks_and_returns(
    agent_name: str, distribution_name: str, count: int, replicates: int
) -> tuple[metarl.TaskSet, np.ndarray]:
    """Return tasks, and the returns [K, N, E] of an agent that is given them."""
    distribution, agent_type = metarl.get(distribution_name), registry.find("agent", agent_name)
    env = distribution.make(count * replicates, task_visible=True)
    tasks = distribution.tasks("train", count, seed=3)
    settings = agent_type.make_settings(distribution, {})
    agent = agent_type.restore(env.observation_space, env.action_space, settings, {}, True)
    result = evaluate_agent(agent, env, tasks, replicates)
    env.close()
    return tasks, result.returns


def test_best_arm_returns_the_highest_probability():
    tasks, returns = tasks_and_returns("best-arm", "Bandit5N100", 12, 20)
    best = tasks.params["probabilities"].max(1)
    error = np.sqrt(best * (1 - best) / (100 * 20))
    assert (np.abs(returns.mean((0, 2)) - best) < 4.5 * error + 1e-6).all()


def test_best_arm_pulls_the_better_of_linked_arms():
    tasks, returns = tasks_and_returns("best-arm", "LinkedBandit2N100", 12, 20)
    best = np.maximum(tasks.params["probability"], 1 - tasks.params["probability"])
    assert (np.abs(returns.mean((0, 2)) - best) < 4.5 * np.sqrt(best * (1 - best) / 2000) + 1e-6).all()


@pytest.mark.parametrize(("name", "start", "miss"), [("GridNavi", (0, 0), -0.1), ("DarkRoom", (4, 4), 0.0)])
def test_straight_walk_loses_only_the_steps_to_the_goal(name, start, miss):
    tasks, returns = tasks_and_returns("straight-walk", name, 10, 1)
    way = np.abs(tasks.params["goal"] - np.array(start)).sum(1)
    horizon = metarl.get(name).horizon
    before = np.maximum(way, 1) - 1  # steps that do not end on the goal
    expected = (horizon - before) + miss * before
    np.testing.assert_allclose(returns, np.broadcast_to(expected[:, None], returns.shape), rtol=1e-5)


def test_known_table_returns_the_optimal_value_of_the_first_state():
    tasks, returns = tasks_and_returns("known-table", "MDPN10", 6, 200)
    rewards, transitions = tasks.params["rewards"], tasks.params["transitions"]
    for i in range(6):
        value = np.zeros(10)
        for _ in range(10):
            value = np.array([
                max(rewards[i, s, a] + sum(transitions[i, s, a] * value) for a in range(5)) for s in range(10)
            ])  # fmt: skip
        result = returns[:, i].ravel()
        assert abs(result.mean() - value[0]) < 4.5 * result.std() / np.sqrt(result.size)


@pytest.mark.parametrize("name", ["best-arm", "straight-walk", "known-table"])
def test_observations_without_the_task_raise(name):
    agent_type = registry.find("agent", name)
    space = gym.spaces.Box(0.0, 1.0, (4 if name == "best-arm" else 3,), np.float32)
    with pytest.raises(metarl.MetarlError, match=f"{name} needs the"):
        agent_type.restore(space, gym.spaces.Discrete(5), agent_type.settings(), {}, True)
