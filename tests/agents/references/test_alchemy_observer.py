"""The Alchemy observer: its chemistries are those of the world, and the true one is never ruled out."""

import numpy as np

import metarl
from metarl.agents.references.alchemy import AlchemyObserver, AlchemySettings, Chemistries
from metarl.envs.games.alchemy import chemistry
from metarl.training.evaluate import evaluate_agent


def rows(table):
    """Return the distinct rows of an array, as bytes."""
    return {row.astype(np.int64).tobytes() for row in table}


def test_chemistries_are_those_of_the_world():
    chemistries = Chemistries()
    assert rows(chemistries.moves) == rows(chemistry.moves().reshape(-1, 8, 6))
    assert len(rows(chemistries.moves)) == 109 * 48
    assert rows(chemistries.looks) == rows(chemistry.looks().reshape(-1, 8, 3))
    assert abs(chemistries.prior.sum() - 1) < 1e-12
    assert np.allclose(chemistries.prior[:48].sum(), 0.25)  # no bottleneck


def test_the_true_chemistry_stays_possible_and_most_others_are_ruled_out():
    distribution, n = metarl.get("Alchemy"), 4
    tasks = distribution.tasks("test", n)
    env = distribution.make(n)
    agent = AlchemyObserver(env.observation_space, env.action_space, AlchemySettings())
    agent.begin(n)
    obs = env.begin(tasks)
    while env.episode < 3:
        step = env.step(agent.act(obs))
        agent.observe(step)
        obs = step.obs
    for i, belief in enumerate(agent.beliefs):
        task = tasks.task(i)
        look = chemistry.looks()[task["stone_map"], task["rotation"]]
        moves = chemistry.moves()[task["graph"], task["potion_map"]]
        true_look = (belief.chemistries.looks == look).all((1, 2))
        true_moves = (belief.chemistries.moves == moves).all((1, 2))
        assert belief.posterior[true_look][:, true_moves].item() > 0
        assert (belief.posterior > 0).sum() < 5000  # of 167,424


def test_the_return_is_ten_times_that_of_random_play_and_grows_within_a_trial():
    distribution, n = metarl.get("Alchemy"), 8
    env = distribution.make(n)
    agent = AlchemyObserver(env.observation_space, env.action_space, AlchemySettings())
    returns = evaluate_agent(agent, env, distribution.tasks("test", n)).returns  # [K, n, 1]; random play: 18 over all K
    assert returns.sum(0).mean() > 180
    assert returns[3:].mean() > returns[0].mean()
