"""Symbolic Alchemy: number of chemistries, a plain implementation of the rules, and the return of random actions."""

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
    axis, direction = chemistry.potions()
    assert len({(a.tobytes(), d.tobytes()) for a, d in zip(axis, direction, strict=True)}) == 48
    looks = chemistry.looks()
    assert len({look.tobytes() for look in looks.reshape(32, -1)}) == 32
    assert 109 * 48 * 32 == 167_424


def test_numbers_of_edges_by_number_of_bottlenecks():
    """A condition removes two of an axis' four edges, two conditions on one axis remove three.

    At least 7 edges are needed to connect 8 corners.
    """
    counts = chemistry.edges().sum((1, 2)) // 2
    assert counts[0] == 12
    assert set(counts[1:13]) == {10}
    assert sorted(set(counts[13:61])) == [8, 9]
    assert set(counts[61:]) == {7}


def test_values_are_sums_of_coordinates_and_15_for_the_best_corner():
    bonus = {3: 15}
    expected = [bonus.get(sum(c), sum(c)) for c in itertools.product((-1, 1), repeat=3)]
    assert sorted(chemistry.values().tolist()) == sorted(expected)
    assert sorted(set(expected)) == [-3, -1, 1, 15]


def test_opposite_potions_invert_each_other():
    moves = chemistry.moves()
    opposite = [1, 0, 3, 2, 5, 4]
    for colour in range(6):
        after = moves[..., colour]
        vertex = np.broadcast_to(np.arange(8), after.shape)
        back = np.take_along_axis(moves[..., opposite[colour]], after, 2)
        moved = after != vertex
        assert moved.any()
        assert (back[moved] == vertex[moved]).all()


def test_looks_are_corners_of_a_cube_or_of_a_cube_rotated_by_45_degrees():
    looks = chemistry.looks()
    assert set(np.unique(looks[:, 0])) == {-1, 1}
    for rotation in (1, 2, 3):
        rotated = looks[:, rotation]
        assert set(np.unique(rotated)) == {-1, 0, 1}
        assert set(np.unique(rotated[..., rotation - 1])) == {-1, 1}
        assert ((rotated == 0).sum(-1) == 1).all()
    for look in looks.reshape(32, 8, 3):
        assert len(np.unique(look, axis=0)) == 8


class Rules:
    """A plain implementation of the rules for one game."""

    def __init__(self, task, stones, potions):
        self.look = chemistry.looks()[task["stone_map"], task["rotation"]]
        axes, directions = (t[task["potion_map"]] for t in chemistry.potions())
        self.effect = list(zip(axes.tolist(), directions.tolist(), strict=True))
        self.edges = chemistry.edges()[task["graph"]]
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
            axis, direction = self.effect[colour]
            if self.edges[self.vertex(stone), axis]:
                stone[axis] = direction
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


def test_steps_equal_a_plain_implementation():
    distribution, n = metarl.get("Alchemy"), 32
    tasks = distribution.tasks("train", n)
    env = Environment(distribution, n)
    env.assign(tasks)
    env.seed(5)
    obs = env.reset()
    simulation: Any = env.simulation
    games = [Rules(tasks.task(i), simulation.stones[i].tolist(), simulation.potions[i].tolist()) for i in range(n)]
    rng = np.random.default_rng(0)
    for _ in range(60):
        np.testing.assert_allclose(obs.numpy(), np.stack([game.observation() for game in games]), atol=1e-6)
        action = rng.integers(40, size=n)
        step = env.step(torch.from_numpy(action))
        assert step.reward.tolist() == [game.step(int(a)) for game, a in zip(games, action, strict=True)]
        obs = step.obs


def test_mean_return_of_random_actions_equals_the_closed_form():
    """Corners stay uniformly distributed under potions, so a stone that is sold is worth 1.5 on average."""
    distribution, n = metarl.get("Alchemy"), 2000
    trials = distribution.make(n)
    trials.begin(distribution.tasks("train", n))
    total, g = torch.zeros(n), torch.Generator().manual_seed(0)
    while not trials.done:
        total += trials.step(torch.randint(40, (n,), generator=g)).reward
    expected = 10 * 3 * (1 - (39 / 40) ** 20) * 1.5  # 17.9
    assert float(total.mean()) == pytest.approx(expected, abs=4 * float(total.std()) / n**0.5)


def test_each_number_of_bottlenecks_has_probability_one_quarter():
    graph = metarl.get("Alchemy").tasks("train", 4000).params["graph"]
    counts = np.histogram(graph, [0, 1, 13, 61, 109])[0] / 4000
    np.testing.assert_allclose(counts, 0.25, atol=0.04)
