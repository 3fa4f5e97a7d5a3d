"""Searches on grids and in the plane: plans, compared with all walks; and expected returns, with actual ones."""

import itertools

import gymnasium as gym
import numpy as np
import pytest
import torch

import metarl
from metarl import registry
from metarl.agents.references.bayes_search import BAYES_SEARCH, BayesSearchAgent, BayesSearchSettings
from metarl.agents.references.exhaustive_search import ExhaustiveSearchAgent, ExhaustiveSearchSettings
from metarl.agents.references.point_sampling import PointSamplingAgent, PointSamplingSettings
from metarl.agents.references.search_plan import Search, best_search
from metarl.training.evaluate import evaluate_agent

MOVES = ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0))


def best_of_all_walks(size, start, nearest, horizon, episodes, once):
    """Return the gain of the best policy by simulating every walk with every goal."""
    cells = [(x, y) for x in range(size) for y in range(size)]
    goals = [(x, y) for x, y in cells if max(abs(x - start[0]), abs(y - start[1])) > nearest]

    def total(walk, goal):
        found, reward = False, 0
        distance = max(1, abs(goal[0] - start[0]) + abs(goal[1] - start[1]))
        for e in range(episodes):
            if found:  # the shortest way to the goal
                reward += max(0, min(1, horizon - distance + 1) if once else horizon - distance + 1)
                continue
            x, y = start
            for h in range(horizon):
                dx, dy = MOVES[walk[e * horizon + h]]
                x, y = min(max(x + dx, 0), size - 1), min(max(y + dy, 0), size - 1)
                if (x, y) == goal:
                    found = True
                    reward += 1 if once else horizon - h
                    break
        return reward

    walks = itertools.product(range(5), repeat=horizon * episodes)
    return max(sum(total(walk, goal) for goal in goals) for walk in walks)


@pytest.mark.parametrize(
    ("size", "start", "nearest", "horizon", "episodes", "once"),
    [
        (2, (0, 0), 0, 2, 2, False), (3, (0, 0), 0, 5, 1, False), (3, (0, 0), 0, 3, 2, False),
        (3, (1, 1), -1, 2, 2, False), (3, (1, 1), -1, 2, 2, True), (3, (0, 0), 1, 3, 1, True),
    ],
)  # fmt: skip
def test_the_plan_is_the_best_of_all_walks(size, start, nearest, horizon, episodes, once):
    search = Search(size, start[0] + size * start[1], nearest, horizon, episodes, once)
    plan = best_search(search, width=1000)
    assert plan.gain == plan.bound
    assert plan.gain == best_of_all_walks(size, start, nearest, horizon, episodes, once)


def test_the_plan_for_grid_navi_is_optimal_and_predicts_the_return():
    distribution = metarl.get("GridNavi")
    settings = BAYES_SEARCH.make_settings(distribution, {})
    plan = settings.plan(5)
    assert plan.gain == plan.bound
    env = distribution.make(21)
    agent = BayesSearchAgent(env.observation_space, env.action_space, settings)
    totals = evaluate_agent(agent, env, distribution.tasks("test", 21)).returns.sum(0)  # each goal once
    assert float(totals.mean()) == pytest.approx(1.1 * plan.gain / 21 - 0.1 * 60, abs=1e-4)


def test_the_bound_of_a_narrow_plan_is_above_the_optimum():
    narrow = best_search(Search(5, 0, 1, 15, 4, False), width=3)
    best = best_search(Search(5, 0, 1, 15, 4, False), width=1000)
    assert narrow.gain <= best.gain <= narrow.bound


def test_exhaustive_search_finds_all_goals_and_returns_by_the_shortest_way():
    distribution = metarl.get("DarkRoom")
    env = distribution.make(81)
    agent = ExhaustiveSearchAgent(env.observation_space, env.action_space, ExhaustiveSearchSettings())
    result = evaluate_agent(agent, env, distribution.tasks("test", 81))
    goals = result.tasks.params["goal"]
    assert (result.returns[-1] > 0).all()  # all are found within ten episodes
    straight = 20 - np.maximum(np.abs(goals - 4).sum(1), 1) + 1
    found = (result.returns[:-1, :, 0] > 0).cumsum(0) > 0
    np.testing.assert_array_equal(np.where(found, result.returns[1:, :, 0], 0), found * straight)


def test_key_and_door_are_reached_by_the_shortest_way_once_found():
    distribution = metarl.get("DarkKeyDoor")
    env = distribution.make(64)
    agent_type = registry.find("agent", "exhaustive-search")
    settings = agent_type.make_settings(distribution, {})
    agent = agent_type.restore(env.observation_space, env.action_space, settings, {}, True)
    result = evaluate_agent(agent, env, distribution.tasks("test", 64))
    assert (result.returns[-3:] == 2).all()
    steps = result.mask[-1, :, :, 0].sum(0)
    distance = np.abs(result.tasks.params["key"] - result.tasks.params["door"]).sum(1)
    assert (steps >= distance).all()
    assert (steps <= distance + 16).all()


def test_point_sampling_finds_the_goal_in_the_first_episode_and_returns_to_it():
    distribution = metarl.get("PointNavSparse")
    env = distribution.make(100)
    agent = PointSamplingAgent(env.action_space, PointSamplingSettings())
    returns = evaluate_agent(agent, env, distribution.tasks("test", 100)).returns[..., 0]
    assert (returns[0] > 0).mean() > 0.7
    assert returns[2].mean() > 47
    guess = agent.places[agent.possible.argmax(1)]
    goals = torch.from_numpy(distribution.tasks("test", 100).params["goal"].copy()).float()
    assert float((guess - goals).norm(dim=1).median()) < 0.02


def test_unsupported_spaces_and_unplanned_episodes_raise():
    box, discrete = gym.spaces.Box(0, 1, (10,)), gym.spaces.Discrete(5)
    with pytest.raises(metarl.MetarlError, match="5 moves"):
        BayesSearchAgent(box, gym.spaces.Discrete(4), BayesSearchSettings())
    with pytest.raises(metarl.MetarlError, match="point in the plane"):
        PointSamplingAgent(discrete, PointSamplingSettings())
    agent = BayesSearchAgent(box, discrete, BayesSearchSettings())
    agent.begin(2)
    agent.episode = 4
    with pytest.raises(metarl.MetarlError, match="planned for 4 episodes of 15"):
        agent.act(torch.eye(10)[:2])
