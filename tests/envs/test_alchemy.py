"""Symbolic Alchemy: its chemistries counted, its samplers told plainly, what random play earns in closed form."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch

import metarl
from metarl.core.environment import Environment
from metarl.envs.games.alchemy import chemistry


def test_there_are_167424_chemistries():
    assert tuple(chemistry.GRAPHS_BY_BOTTLENECKS) == (1, 12, 48, 48)
    assert len(chemistry.edges()) == chemistry.GRAPHS == sum(chemistry.GRAPHS_BY_BOTTLENECKS)
    assert len({graph.tobytes() for graph in chemistry.edges()}) == 109
    axis, way = chemistry.potions()
    assert len({(a.tobytes(), w.tobytes()) for a, w in zip(axis, way, strict=True)}) == 48
    seen = chemistry.looks()
    assert len({look.tobytes() for look in seen.reshape(32, -1)}) == 32
    assert 109 * 48 * 32 == 167_424


def test_bottlenecks_leave_10_then_8_or_9_then_7_edges():
    """One condition closes two of an axis' four edges, two on one axis three; 7 edges are the least that connect 8."""
    counts = chemistry.edges().sum((1, 2)) // 2
    assert counts[0] == 12
    assert set(counts[1:13]) == {10}
    assert sorted(set(counts[13:61])) == [8, 9]
    assert set(counts[61:]) == {7}


def test_values():
    best = {3: 15}
    expected = [best.get(sum(c), sum(c)) for c in itertools.product((-1, 1), repeat=3)]
    assert sorted(chemistry.values().tolist()) == sorted(expected)
    assert sorted(set(expected)) == [-3, -1, 1, 15]


def test_edges_go_both_ways_and_opposite_potions_undo_each_other():
    moves = chemistry.moves()
    opposite = [1, 0, 3, 2, 5, 4]
    for colour in range(6):
        there = moves[..., colour]
        vertex = np.broadcast_to(np.arange(8), there.shape)
        again = np.take_along_axis(moves[..., opposite[colour]], there, 2)
        moved = there != vertex
        assert moved.any()
        assert (again[moved] == vertex[moved]).all()


def test_looks_are_corners_of_a_cube_or_of_one_turned_by_45_degrees():
    seen = chemistry.looks()
    assert set(np.unique(seen[:, 0])) == {-1, 1}
    for rotation in (1, 2, 3):
        turned = seen[:, rotation]
        assert set(np.unique(turned)) == {-1, 0, 1}
        assert set(np.unique(turned[..., rotation - 1])) == {-1, 1}
        assert ((turned == 0).sum(-1) == 1).all()
    for look in seen.reshape(32, 8, 3):
        assert len(np.unique(look, axis=0)) == 8


class Table:
    """One table, told plainly; it only knows what the player can see, and the chemistry."""

    def __init__(self, task, stones, potions):
        self.look = chemistry.looks()[task["stone_map"], task["rotation"]]
        axes, ways = (t[task["potion_map"]] for t in chemistry.potions())
        self.effect = list(zip(axes.tolist(), ways.tolist(), strict=True))
        self.open = chemistry.edges()[task["graph"]]
        self.stones: list[Any] = [list(chemistry.CORNERS[v]) for v in stones]
        self.potions = list(potions)

    def step(self, action):
        if action == 0:
            return 0
        i, j = divmod(action - 1, 13)
        stone = self.stones[i]
        if stone is None:
            return 0
        if j == 0:
            self.stones[i] = None
            return 15 if sum(stone) == 3 else sum(stone)
        colour, self.potions[j - 1] = self.potions[j - 1], None
        if colour is not None:
            axis, way = self.effect[colour]
            if self.open[self.vertex(stone), axis]:
                stone[axis] = way
        return 0

    @staticmethod
    def vertex(stone):
        return sum(1 << a for a in range(3) if stone[a] == 1)

    def observation(self):
        out = []
        for s in self.stones:
            out += [0, 0, 0, 0, 1] if s is None else [*self.look[self.vertex(s)], min(sum(s), 3) / 3, 0]
        for colour in self.potions:
            out += [0, 1] if colour is None else [2 * colour / 5 - 1, 0]
        return np.array(out, np.float32)


def test_the_game_is_as_told_plainly():
    family, n = metarl.get("Alchemy"), 32
    tasks = family.tasks("train", n)
    env = Environment(family, n)
    env.assign(tasks)
    env.seed(5)
    obs = env.reset()
    table: Any = env.simulation
    each = [Table(tasks.task(i), table.stones[i].tolist(), table.potions[i].tolist()) for i in range(n)]
    rng = np.random.default_rng(0)
    for _ in range(60):
        np.testing.assert_allclose(obs.numpy(), np.stack([t.observation() for t in each]), atol=1e-6)
        action = rng.integers(40, size=n)
        moved = env.step(torch.from_numpy(action))
        assert moved.reward.tolist() == [t.step(int(a)) for t, a in zip(each, action, strict=True)]
        obs = moved.obs


def test_random_play_earns_what_it_must():
    """Potions leave evenly drawn corners even, so a stone that is sold is worth 1.5 on average."""
    family, n = metarl.get("Alchemy"), 2000
    trials = family.make(n)
    trials.begin(family.tasks("train", n))
    total, g = torch.zeros(n), torch.Generator().manual_seed(0)
    while not trials.done:
        total += trials.step(torch.randint(40, (n,), generator=g)).reward
    expected = 10 * 3 * (1 - (39 / 40) ** 20) * 1.5  # 17.9
    assert float(total.mean()) == pytest.approx(expected, abs=4 * float(total.std()) / n**0.5)


def test_the_prior_gives_each_number_of_bottlenecks_a_quarter():
    graph = metarl.get("Alchemy").tasks("train", 4000).params["graph"]
    counts = np.histogram(graph, [0, 1, 13, 61, 109])[0] / 4000
    np.testing.assert_allclose(counts, 0.25, atol=0.04)
