"""The observer of Alchemy: it tells the same chemistries as the world, never rules out the true one, and earns."""

import numpy as np

import metarl
from metarl.agents.references.alchemy import AlchemyObserver, AlchemySettings, Chemistries
from metarl.envs.games.alchemy import chemistry
from metarl.training.evaluate import evaluate_agent


def rows(table):
    return {row.astype(np.int64).tobytes() for row in table}


def test_it_knows_the_same_chemistries_as_the_world():
    known = Chemistries()
    assert rows(known.moves) == rows(chemistry.moves().reshape(-1, 8, 6))
    assert len(rows(known.moves)) == 109 * 48
    assert rows(known.looks) == rows(chemistry.looks().reshape(-1, 8, 3))
    assert abs(known.prior.sum() - 1) < 1e-12
    assert np.allclose(known.prior[:48].sum(), 0.25)  # no bottleneck


def test_the_truth_stays_possible_and_the_belief_narrows():
    family, n = metarl.get("Alchemy"), 4
    tasks = family.tasks("test", n)
    env = family.make(n)
    agent = AlchemyObserver(env.observation_space, env.action_space, AlchemySettings())
    agent.begin(n)
    obs = env.begin(tasks)
    while env.episode < 3:
        step = env.step(agent.act(obs))
        agent.observe(step)
        obs = step.obs
    for i, table in enumerate(agent.tables):
        task = tasks.task(i)
        look = chemistry.looks()[task["stone_map"], task["rotation"]]
        dist = chemistry.moves()[task["graph"], task["potion_map"]]
        true_look = (table.known.looks == look).all((1, 2))
        true_law = (table.known.moves == dist).all((1, 2))
        assert table.belief[true_look][:, true_law].item() > 0
        assert (table.belief > 0).sum() < 5000  # of 167,424


def test_it_earns_many_times_what_random_play_does_and_more_as_it_learns():
    family, n = metarl.get("Alchemy"), 8
    env = family.make(n)
    agent = AlchemyObserver(env.observation_space, env.action_space, AlchemySettings())
    returns = evaluate_agent(agent, env, family.tasks("test", n)).returns  # [K, n, 1]; random play earns 18 over all K
    assert returns.sum(0).mean() > 180
    assert returns[3:].mean() > returns[0].mean()
