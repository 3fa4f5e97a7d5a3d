"""Agents that are told the task, against closed forms and plain loops: nobody earns more."""

import gymnasium as gym
import numpy as np
import pytest

import metarl
from metarl import registry
from metarl.training.evaluate import evaluate_agent


def totals(agent: str, family: str, tasks: int, replicates: int) -> tuple[metarl.TaskSet, np.ndarray]:
    """Tasks, and the returns [K, N, E] of an agent that is told them."""
    distribution, kind = metarl.get(family), registry.find("agent", agent)
    env = distribution.make(tasks * replicates, task_visible=True)
    told = distribution.tasks("train", tasks, seed=3)
    settings = kind.make_settings(distribution, {})
    told_agent = kind.restore(env.observation_space, env.action_space, settings, {}, True)
    result = evaluate_agent(told_agent, env, told, replicates)
    env.close()
    return told, result.returns


def test_the_best_arm_pays_its_own_probability():
    tasks, returns = totals("best-arm", "Bandit5N100", 12, 20)
    best = tasks.params["probabilities"].max(1)
    error = np.sqrt(best * (1 - best) / (100 * 20))
    assert (np.abs(returns.mean((0, 2)) - best) < 4.5 * error + 1e-6).all()


def test_of_linked_arms_the_better_is_pulled():
    tasks, returns = totals("best-arm", "LinkedBandit2N100", 12, 20)
    best = np.maximum(tasks.params["probability"], 1 - tasks.params["probability"])
    assert (np.abs(returns.mean((0, 2)) - best) < 4.5 * np.sqrt(best * (1 - best) / 2000) + 1e-6).all()


@pytest.mark.parametrize(("family", "start", "miss"), [("GridNavi", (0, 0), -0.1), ("DarkRoom", (4, 4), 0.0)])
def test_a_straight_walk_loses_only_the_way(family, start, miss):
    tasks, returns = totals("straight-walk", family, 10, 1)
    way = np.abs(tasks.params["goal"] - np.array(start)).sum(1)
    horizon = metarl.get(family).horizon
    before = np.maximum(way, 1) - 1  # steps that end beside the goal
    expected = (horizon - before) + miss * before
    np.testing.assert_allclose(returns, np.broadcast_to(expected[:, None], returns.shape), rtol=1e-5)


def test_a_known_mdp_earns_the_value_of_its_first_state():
    tasks, returns = totals("known-table", "MDPN10", 6, 200)
    rewards, transitions = tasks.params["rewards"], tasks.params["transitions"]
    for i in range(6):
        value = np.zeros(10)
        for _ in range(10):
            value = np.array([
                max(rewards[i, s, a] + sum(transitions[i, s, a] * value) for a in range(5)) for s in range(10)
            ])  # fmt: skip
        result = returns[:, i].ravel()
        assert abs(result.mean() - value[0]) < 4.5 * result.std() / np.sqrt(result.size)


@pytest.mark.parametrize("agent", ["best-arm", "straight-walk", "known-table"])
def test_who_is_told_something_else_says_so(agent):
    kind = registry.find("agent", agent)
    space = gym.spaces.Box(0.0, 1.0, (4 if agent == "best-arm" else 3,), np.float32)
    with pytest.raises(metarl.MetarlError, match=f"{agent} must be told"):
        kind.restore(space, gym.spaces.Discrete(5), kind.settings(), {}, True)
