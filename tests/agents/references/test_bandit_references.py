"""Bandit algorithms: indices, compared with published tables and brute force; regret; and errors."""

import functools

import gymnasium as gym
import numpy as np
import pytest
import torch

import metarl
from metarl import registry
from metarl.agents.references.gittins import GittinsAgent, GittinsSettings
from metarl.agents.references.gittins_index import discounted_indices, finite_horizon_indices
from metarl.agents.references.thompson import ThompsonAgent, ThompsonSettings
from metarl.training.evaluate import evaluate_agent

BANDITS = ("gittins", "thompson", "ucb1", "epsilon-greedy", "random")


def returns_of(agent_name, distribution_name, tasks, **given):
    """Return the returns [K, N] of an agent on some tasks."""
    distribution, agent_type = metarl.get(distribution_name), registry.find("agent", agent_name)
    env = distribution.make(len(tasks))
    settings = agent_type.make_settings(distribution, given)
    agent = agent_type.restore(env.observation_space, env.action_space, settings, {}, True)
    return evaluate_agent(agent, env, tasks).returns[:, :, 0]


def test_discounted_indices_equal_gittins_tables():
    """Tables of Bernoulli reward processes from Gittins (1989); rows are successes, columns failures, both from 1."""
    for discount, table in (
        (0.9, [[0.7029, 0.5001, 0.3796], [0.8001, 0.6346, 0.5163], [0.8452, 0.7072, 0.6010]]),
        (0.95, [[0.7614, 0.5601, 0.4334], [0.8381, 0.6810, 0.5621], [0.8736, 0.7443, 0.6392]]),
    ):
        np.testing.assert_allclose(discounted_indices(5, discount)[:3, :3].numpy(), table, atol=6e-4)


def test_indices_of_the_last_two_pulls_equal_closed_forms():
    tables = finite_horizon_indices(4)
    a, b = torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing="ij")
    torch.testing.assert_close(tables[0], (a + 1) / (a + b + 2), atol=1e-5, rtol=0)
    # Two pulls left, uniform prior: lambda with (1/2 - lambda) + 1/2 max(0, 2/3 - lambda) = 0.
    assert abs(float(tables[1][0, 0]) - 5 / 9) < 1e-3


def test_the_index_is_the_constant_reward_at_which_both_arms_are_equally_good():
    """Brute force over all histories: the highest return of m pulls of an uncertain arm and one of constant reward."""

    def best(a, b, m, constant):
        if m == 0:
            return 0.0
        p = (a + 1) / (a + b + 2)
        uncertain = p * (1 + best(a + 1, b, m - 1, constant)) + (1 - p) * best(a, b + 1, m - 1, constant)
        return max(uncertain, m * constant)  # once the constant arm is better it remains better

    for m in (2, 3, 6):
        index = float(finite_horizon_indices(6)[m - 1][0, 0])
        assert best(0, 0, m, index + 0.01) == pytest.approx(m * (index + 0.01))
        assert best(0, 0, m, index - 0.01) > m * (index - 0.01) + 1e-4


def test_gittins_is_within_0_01_of_the_bayes_optimum_of_two_arms():
    """The exact values of the optimal policy and the index policy, by dynamic programming over both arms' beliefs."""
    tables = [table.tolist() for table in finite_horizon_indices(8)]

    @functools.cache
    def value(first, second, left, by_index):
        if left == 0:
            return 0.0
        values = []
        for arm, (a, b) in enumerate((first, second)):
            p = (a + 1) / (a + b + 2)
            after = [((a + 1, b), second), ((a, b + 1), second)]
            if arm == 1:
                after = [(first, (a + 1, b)), (first, (a, b + 1))]
            won, lost = (value(*state, left - 1, by_index) for state in after)
            values.append(p * (1 + won) + (1 - p) * lost)
        if not by_index:
            return max(values)
        indices = [tables[left - 1][a][b] for a, b in (first, second)]
        return values[0] if indices[0] >= indices[1] else values[1]

    best, by_index = (value((0, 0), (0, 0), 8, policy) for policy in (False, True))
    assert best - 0.01 < by_index <= best + 1e-9


def test_regret_of_ucb_and_gittins_grows_more_slowly_than_the_number_of_pulls():
    tasks = metarl.TaskSet({"probabilities": np.tile([0.2, 0.3, 0.7, 0.4, 0.5], (300, 1))})
    for agent, given in (("ucb1", {"c": 0.5}), ("gittins", {})):
        regret = 0.7 - returns_of(agent, "Bandit5N100", tasks, **given).mean(1)
        assert regret[:20].mean() > 0.08
        assert regret[-20:].mean() < 0.45 * regret[:20].mean(), agent
        assert regret.sum() < 14, agent


def test_the_ranking_is_as_published():
    tasks = metarl.get("Bandit10N100").tasks("test", 400)
    totals = {agent: float(returns_of(agent, "Bandit10N100", tasks).sum(0).mean()) for agent in BANDITS}
    assert totals["random"] < totals["thompson"] < totals["ucb1"]
    assert totals["epsilon-greedy"] < totals["ucb1"] < totals["gittins"] + 1
    assert totals["gittins"] > 82


def test_ties_are_broken_uniformly_and_by_the_seed():
    def first(seed):
        agent = GittinsAgent(gym.spaces.Discrete(4), GittinsSettings(pulls=1, seed=seed))
        agent.begin(4000)
        return agent.act(torch.zeros(4000, 1))

    counts = torch.bincount(first(0), minlength=4)
    assert ((counts - 1000).abs() < 120).all()
    assert torch.equal(first(0), first(0))
    assert not torch.equal(first(0), first(1))


def test_thompson_sampling_pulls_arms_with_their_probability_of_being_best():
    agent = ThompsonAgent(gym.spaces.Discrete(2), ThompsonSettings())
    agent.begin(50_000)
    agent.pulls[:, 0], agent.reward_sums[:, 0] = 1.0, 1.0  # Beta(2, 1) against Beta(1, 1): P(first is better) = 2/3
    frequency = float((agent.act(torch.zeros(50_000, 1)) == 0).float().mean())
    assert abs(frequency - 2 / 3) < 0.01


def test_unsupported_spaces_and_too_many_pulls_raise():
    with pytest.raises(metarl.MetarlError, match="action per arm"):
        GittinsAgent(gym.spaces.Box(-1, 1, (2,)), GittinsSettings())
    agent = GittinsAgent(gym.spaces.Discrete(2), GittinsSettings(pulls=1))
    agent.begin(1)
    agent.time = 1
    with pytest.raises(metarl.MetarlError, match="set pulls higher"):
        agent.act(torch.zeros(1, 1))
