"""Algorithms for tabular MDPs: plans, compared with brute force; posteriors, with counts; and their ranking."""

import itertools

import gymnasium as gym
import numpy as np
import pytest
import torch

import metarl
from metarl import registry
from metarl.agents.references.psrl import PSRLAgent
from metarl.agents.references.tables import TableSettings, expected, greedy_plan
from metarl.agents.references.ucrl2 import best_within
from metarl.training.evaluate import evaluate_agent


def random_model(b=3, s=3, a=2, seed=0):
    rng = np.random.default_rng(seed)
    transitions = torch.from_numpy(rng.dirichlet(np.ones(s), size=(b, s, a)))
    return torch.from_numpy(rng.normal(size=(b, s, a))).float(), transitions.float()


def test_the_plan_is_the_best_of_all_plans():
    """All deterministic plans for three states, two actions and two steps, evaluated by a plain loop."""
    rewards, transitions = random_model()
    horizon = 2
    plan = greedy_plan(lambda v: rewards + expected(transitions, v), (3, 3), horizon)
    for i in range(3):
        r, p = rewards[i].numpy(), transitions[i].numpy()

        def value_of(choice, r=r, p=p):
            value = np.zeros(3)
            for step in choice[::-1]:
                value = np.array([r[s, step[s]] + p[s, step[s]] @ value for s in range(3)])
            return value

        rows = list(itertools.product(range(2), repeat=3))
        best = np.max([value_of(c) for c in itertools.product(rows, repeat=horizon)], axis=0)
        np.testing.assert_allclose(value_of(plan[:, i].tolist()), best, atol=1e-6)


def test_optimistic_transitions_are_the_best_of_a_grid():
    _, mean = random_model(b=1)
    value, width = torch.tensor([[1.0, -2.0, 0.5]]), torch.full((1, 3, 2), 0.4)
    optimistic = best_within(mean, width, value)[0]
    ticks = np.linspace(0, 1, 201)
    grid = np.array([(x, y, 1 - x - y) for x in ticks for y in ticks if x + y <= 1 + 1e-9])
    for s, a in itertools.product(range(3), range(2)):
        near = np.abs(grid - mean[0, s, a].numpy()).sum(1) <= 0.4 + 1e-9
        assert float(optimistic[s, a]) == pytest.approx((grid[near] @ value[0].numpy()).max(), abs=0.03)
        assert float(optimistic[s, a]) >= (grid[near] @ value[0].numpy()).max() - 1e-5
    torch.testing.assert_close(best_within(mean, torch.zeros(1, 3, 2), value), expected(mean, value))


def test_posteriors_equal_those_of_counts_and_reward_sums():
    distribution = metarl.get("MDPN10")
    env = distribution.make(50)
    agent = PSRLAgent(env.observation_space, env.action_space, TableSettings())
    task = distribution.tasks("test", 1)
    rewards = evaluate_agent(agent, env, task.repeat(50)).reward[..., 0]
    assert float(agent.transition_counts.sum()) == 50 * 100
    assert float(agent.reward_sums.sum()) == pytest.approx(float(rewards.sum()), rel=1e-4)
    drawn = [agent.drawn_model() for _ in range(200)]
    mean = torch.stack([t for _, t in drawn]).mean(0)
    exact = (agent.transition_counts + 1) / (agent.visits + 10)[..., None]
    torch.testing.assert_close(mean, exact, atol=0.06, rtol=0)
    drawn_rewards = torch.stack([r for r, _ in drawn])
    torch.testing.assert_close(drawn_rewards.std(0), (agent.visits + 1) ** -0.5, atol=0.25, rtol=0)


def test_the_agents_learn_and_rank_as_published():
    distribution = metarl.get("MDPN25")
    env, tasks = distribution.make(200), distribution.tasks("test", 200)
    totals = {}
    for name in ("random", "psrl", "opsrl", "ucrl2"):
        agent_type = registry.find("agent", name)
        settings = agent_type.make_settings(distribution, {})
        agent = agent_type.restore(env.observation_space, env.action_space, settings, {}, True)
        totals[name] = float(evaluate_agent(agent, env, tasks).returns.sum(0).mean())
    assert abs(totals["random"] - 250) < 12
    assert totals["psrl"] > 380
    assert totals["ucrl2"] > totals["psrl"] + 15


def test_a_box_of_actions_raises():
    with pytest.raises(metarl.MetarlError, match="one-hot"):
        PSRLAgent(gym.spaces.Box(0, 1, (3,)), gym.spaces.Box(-1, 1, (2,)), TableSettings())
