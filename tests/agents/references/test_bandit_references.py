"""Bandit algorithms: indices against published tables and brute force, regret, and the spaces they refuse."""

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


def played(name, agent, tasks, **given):
    family, kind = metarl.get(name), registry.find("agent", agent)
    env = family.make(len(tasks))
    settings = kind.make_settings(family, given)
    return evaluate_agent(kind.restore(env.observation_space, env.action_space, settings, {}, True), env, tasks).returns[:, :, 0]


def test_indices_of_the_discounted_problem_are_those_of_gittins_tables():
    """Gittins (1989), tables of Bernoulli reward processes; rows successes, columns failures, counted from 1."""
    for discount, table in (
        (0.9, [[0.7029, 0.5001, 0.3796], [0.8001, 0.6346, 0.5163], [0.8452, 0.7072, 0.6010]]),
        (0.95, [[0.7614, 0.5601, 0.4334], [0.8381, 0.6810, 0.5621], [0.8736, 0.7443, 0.6392]]),
    ):
        np.testing.assert_allclose(discounted_indices(5, discount)[:3, :3].numpy(), table, atol=6e-4)


def test_one_pull_left_is_worth_its_mean_and_two_what_a_quadratic_says():
    tables = finite_horizon_indices(4)
    a, b = torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing="ij")
    torch.testing.assert_close(tables[0], (a + 1) / (a + b + 2), atol=1e-5, rtol=0)
    # Two left, uniform prior: lambda with (1/2 - lambda) + 1/2 max(0, 2/3 - lambda) = 0.
    assert abs(float(tables[1][0, 0]) - 5 / 9) < 1e-3


def test_with_one_uncertain_arm_and_a_sure_one_the_index_plays_best():
    """Brute force over all histories: the most m pulls can bring beside a sure arm, both sides of the index."""

    def best(a, b, m, sure):
        if m == 0:
            return 0.0
        p = (a + 1) / (a + b + 2)
        unsure = p * (1 + best(a + 1, b, m - 1, sure)) + (1 - p) * best(a, b + 1, m - 1, sure)
        return max(unsure, m * sure)  # once the sure arm is better it stays so

    for m in (2, 3, 6):
        index = float(finite_horizon_indices(6)[m - 1][0, 0])
        assert best(0, 0, m, index + 0.01) == pytest.approx(m * (index + 0.01))
        assert best(0, 0, m, index - 0.01) > m * (index - 0.01) + 1e-4


def test_gittins_is_within_a_hair_of_the_bayes_optimum_of_two_arms():
    """Dynamic programming over both arms' beliefs, beside the exact value of the index policy in the same recursion."""
    tables = [table.tolist() for table in finite_horizon_indices(8)]

    @functools.cache
    def value(first, second, left, by_index):
        if left == 0:
            return 0.0
        worth = []
        for arm, (a, b) in enumerate((first, second)):
            p = (a + 1) / (a + b + 2)
            after = [((a + 1, b), second), ((a, b + 1), second)]
            if arm == 1:
                after = [(first, (a + 1, b)), (first, (a, b + 1))]
            won, lost = (value(*state, left - 1, by_index) for state in after)
            worth.append(p * (1 + won) + (1 - p) * lost)
        if not by_index:
            return max(worth)
        indices = [tables[left - 1][a][b] for a, b in (first, second)]
        return worth[0] if indices[0] >= indices[1] else worth[1]

    best, by_index = (value((0, 0), (0, 0), 8, policy) for policy in (False, True))
    assert best - 0.01 < by_index <= best + 1e-9


def test_ucb_and_gittins_regret_grows_slower_than_the_number_of_pulls():
    tasks = metarl.TaskSet({"probabilities": np.tile([0.2, 0.3, 0.7, 0.4, 0.5], (300, 1))})
    for agent, given in (("ucb1", {"c": 0.5}), ("gittins", {})):
        regret = 0.7 - played("Bandit5N100", agent, tasks, **given).mean(1)
        assert regret[:20].mean() > 0.08
        assert regret[-20:].mean() < 0.45 * regret[:20].mean(), agent
        assert regret.sum() < 14, agent


def test_they_rank_as_published_on_the_same_tasks():
    tasks = metarl.get("Bandit10N100").tasks("test", 400)
    totals = {agent: float(played("Bandit10N100", agent, tasks).sum(0).mean()) for agent in BANDITS}
    assert totals["random"] < totals["thompson"] < totals["ucb1"]
    assert totals["epsilon-greedy"] < totals["ucb1"] < totals["gittins"] + 1
    assert totals["gittins"] > 82


def test_ties_are_broken_fairly_and_the_seed_decides():
    def first(seed):
        agent = GittinsAgent(gym.spaces.Discrete(4), GittinsSettings(pulls=1, seed=seed))
        agent.begin(4000)
        return agent.act(torch.zeros(4000, 1))

    counts = torch.bincount(first(0), minlength=4)
    assert ((counts - 1000).abs() < 120).all()
    assert torch.equal(first(0), first(0))
    assert not torch.equal(first(0), first(1))


def test_thompson_sampling_pulls_an_arm_as_often_as_it_is_believed_best():
    agent = ThompsonAgent(gym.spaces.Discrete(2), ThompsonSettings())
    agent.begin(50_000)
    agent.pulls[:, 0], agent.paid[:, 0] = 1.0, 1.0  # Beta(2, 1) against Beta(1, 1): P(first is better) = 2/3
    share = float((agent.act(torch.zeros(50_000, 1)) == 0).float().mean())
    assert abs(share - 2 / 3) < 0.01


def test_what_does_not_fit_is_refused():
    with pytest.raises(metarl.MetarlError, match="arms"):
        GittinsAgent(gym.spaces.Box(-1, 1, (2,)), GittinsSettings())
    agent = GittinsAgent(gym.spaces.Discrete(2), GittinsSettings(pulls=1))
    agent.begin(1)
    agent.time = 1
    with pytest.raises(metarl.MetarlError, match="set pulls higher"):
        agent.act(torch.zeros(1, 1))
