"""RuleGrid against a plain implementation of its rules, and a planner that reaches the goal of every ruleset."""

from typing import Any

import numpy as np
import pytest
import torch

import metarl
from metarl.core.environment import Environment
from metarl.envs.games.rule_grid import rulesets
from metarl.envs.games.rule_grid.rulesets import Rulesets

SIZE = 7
UP, RIGHT, DOWN, LEFT, PICK, PUT = range(6)
MOVES = {UP: (-1, 0), RIGHT: (0, 1), DOWN: (1, 0), LEFT: (0, -1)}
NAMES = ("RuleGrid0", "RuleGrid1", "RuleGrid2", "RuleGrid1Near")


class Room:
    """A plain implementation of the rules for one room, with a dict from cells to objects."""

    def __init__(self, ruleset, things, agent):
        rules = [ruleset[4 * i : 4 * i + 4] for i in range(2)]
        self.rules = [(("near", "hold", "drop", "step")[kind - 1], a, b, c) for kind, a, b, c in rules if kind]
        kind, *self.operands = ruleset[8:11]
        self.goal = ("meet", "take", "stand", "corner")[kind - 1]
        self.things = dict(things)
        self.agent = agent
        self.pocket = None

    def beside(self, cell, thing):
        for down, right in MOVES.values():
            neighbour = (cell[0] + down, cell[1] + right)
            if self.things.get(neighbour) == thing:
                return neighbour
        return None

    def adjacent(self, a, b):
        """Return the neighbouring cell with the other of a and b, if the agent's cell has one of them."""
        here = self.things.get(self.agent)
        if here is None or here not in (a, b):
            return None
        return self.beside(self.agent, b if here == a else a)

    def step(self, action):
        """Return the reward, and whether the goal is reached."""
        event = None
        if action in MOVES:
            row, column = self.agent[0] + MOVES[action][0], self.agent[1] + MOVES[action][1]
            if 0 <= row < SIZE and 0 <= column < SIZE:
                self.agent, event = (row, column), "step"
        elif action == PICK and self.pocket is None and self.agent in self.things:
            self.pocket, event = self.things.pop(self.agent), "take"
        elif action == PUT and self.pocket is not None and self.agent not in self.things:
            self.things[self.agent], self.pocket, event = self.pocket, None, "put"

        for kind, a, b, c in self.rules:
            if kind == "hold" and event == "take" and self.pocket == a:
                self.pocket = c
            if (kind, event) in (("drop", "put"), ("step", "step")) and self.things.get(self.agent) == a:
                self.things[self.agent] = c
            if kind == "near" and event == "put" and (other := self.adjacent(a, b)):
                del self.things[other]
                self.things[self.agent] = c
        done = self.reached(event)
        return (1.0 if done else 0.0) - 0.01, done

    def reached(self, event):
        a, b = self.operands
        if self.goal == "take":
            return event == "take" and self.pocket == a
        if event not in ("put", "step") or (self.goal != "stand" and event == "step"):
            return False
        if self.goal == "meet":
            return self.adjacent(a, b) is not None
        return self.things.get(self.agent) == a and (self.goal == "stand" or self.agent in CORNERS)


CORNERS = [(row, column) for row in (0, SIZE - 1) for column in (0, SIZE - 1)]


class Plan:
    """A plan that reaches the goal by producing its object, by backward chaining over the rules."""

    def __init__(self, room):
        self.room = room
        self.actions = []
        self.done = False
        thing, partner = room.operands
        self.make(thing)
        if room.goal == "take":
            self.take(thing)
        elif room.goal == "stand":
            if not self.done and room.pocket == thing:
                self.put(self.isolated_cell())
            self.step_on(thing)
        elif room.goal == "corner":
            self.take(thing)
            self.put(next(cell for cell in CORNERS if cell not in room.things))
        else:
            self.take(thing)
            self.put(self.cell_beside(partner))

    def do(self, action):
        if not self.done:
            self.actions.append(action)
            _, self.done = self.room.step(action)

    def go(self, cell):
        """Go to a cell by the shortest path that avoids objects which change when stepped upon."""
        agent = self.room.agent
        if self.done or cell == agent:
            return
        changing = [a for kind, a, _, _ in self.room.rules if kind == "step"]
        paths = {agent: []}
        frontier = [agent]
        while cell not in paths:
            current = frontier.pop(0)
            for action, (down, right) in MOVES.items():
                after = (current[0] + down, current[1] + right)
                inside = 0 <= after[0] < SIZE and 0 <= after[1] < SIZE
                if inside and after not in paths and (after == cell or self.room.things.get(after) not in changing):
                    paths[after] = [*paths[current], action]
                    frontier.append(after)
        for action in paths[cell]:
            self.do(action)

    def cell_of(self, thing) -> Any:
        return next((cell for cell, item in self.room.things.items() if item == thing), None)

    def isolated_cell(self):
        """Return the nearest empty cell without neighbouring objects."""
        agent = self.room.agent
        cells = [(row, column) for row in range(SIZE) for column in range(SIZE)]
        isolated = [c for c in cells if not any(abs(c[0] - r) + abs(c[1] - q) <= 1 for r, q in self.room.things)]
        return min(isolated, key=lambda c: abs(c[0] - agent[0]) + abs(c[1] - agent[1]))

    def cell_beside(self, thing):
        row, column = self.cell_of(thing)
        cells = [(row + down, column + right) for down, right in MOVES.values()]
        return next(c for c in cells if c not in self.room.things and 0 <= c[0] < SIZE and 0 <= c[1] < SIZE)

    def take(self, thing):
        if not self.done and self.room.pocket != thing:
            if self.room.pocket is not None:
                self.put(self.isolated_cell())
            self.step_on(thing)
            self.do(PICK)

    def put(self, cell):
        self.go(cell)
        self.do(PUT)

    def step_on(self, thing):
        if not self.done:
            cell = self.cell_of(thing)
            if cell == self.room.agent:  # leave the cell first, because only a move onto it counts
                self.go(next(c for c in self.free_neighbours(cell)))
            self.go(cell)

    def free_neighbours(self, cell):
        for down, right in MOVES.values():
            after = (cell[0] + down, cell[1] + right)
            if 0 <= after[0] < SIZE and 0 <= after[1] < SIZE and after not in self.room.things:
                yield after

    def make(self, thing):
        room = self.room
        rule = next((r for r in room.rules if r[3] == thing), None)
        if self.done or rule is None or room.pocket == thing or self.cell_of(thing) is not None:
            return
        kind, a, b, _ = rule
        self.make(a)
        if self.done or room.pocket == thing or self.cell_of(thing) is not None:
            return
        if kind == "step":
            if room.pocket == a:
                self.put(self.isolated_cell())
            self.step_on(a)
        elif kind == "hold":
            if room.pocket == a:
                self.put(self.isolated_cell())
            self.take(a)
        else:
            self.take(a)
            self.put(self.isolated_cell() if kind == "drop" else self.cell_beside(b))


def things_of(simulation, index):
    """Return the objects of one room, by their cell."""
    return {divmod(c, SIZE): thing for c, thing in enumerate(simulation.room[index].tolist()) if thing}


def make_env(name, n, split="train"):
    """Return environments after a reset, their tasks, and the corresponding plain rooms."""
    distribution = metarl.get(name)
    tasks = distribution.tasks(split, n)
    env: Any = Environment(distribution, n)
    env.assign(tasks)
    env.seed(1)
    env.reset()
    simulation = env.simulation
    rooms = [
        Room(tasks.task(i)["ruleset"], things_of(simulation, i), divmod(int(simulation.cell[i]), SIZE))
        for i in range(n)
    ]
    return env, tasks, rooms


@pytest.mark.parametrize("name", NAMES)
def test_steps_equal_a_plain_implementation(name):
    env, _, rooms = make_env(name, 24)
    rng = np.random.default_rng(0)
    terminated = np.zeros(24, bool)
    for _ in range(150):
        action = rng.choice(6, 24, p=[0.15, 0.15, 0.15, 0.15, 0.2, 0.2])
        step = env.step(torch.from_numpy(action))
        expected = [room.step(int(a)) for room, a in zip(rooms, action, strict=True)]
        np.testing.assert_allclose(step.reward.numpy(), [reward for reward, _ in expected], atol=1e-6)
        assert step.terminated.tolist() == [done for _, done in expected]
        terminated |= step.terminated.numpy()
        for i, room in enumerate(rooms):
            assert things_of(env.simulation, i) == room.things
            assert (int(env.simulation.pocket[i]) or None) == room.pocket
    assert terminated.any()


@pytest.mark.parametrize("split", ["train", "ood"])
@pytest.mark.parametrize("name", NAMES[:3])
def test_every_goal_is_reachable_within_the_horizon(name, split):
    """Execute plans for 100 tasks, which include every type of rule and of goal."""
    n = 100
    env, tasks, rooms = make_env(name, n, split)
    plans = [Plan(room) for room in rooms]
    assert all(plan.done for plan in plans)
    assert max(len(plan.actions) for plan in plans) <= metarl.get(name).horizon
    steps = max(len(plan.actions) for plan in plans)
    actions = np.array([plan.actions + [PUT] * (steps - len(plan.actions)) for plan in plans])
    lengths = np.full(n, -1)
    for t in range(steps):
        step = env.step(torch.from_numpy(actions[:, t]))
        lengths = np.where((lengths < 0) & step.terminated.numpy(), t + 1, lengths)
    assert lengths.tolist() == [len(plan.actions) for plan in plans]
    drawn = tasks.params["ruleset"]
    assert set(drawn[:, rulesets.GOAL]) == {1, 2, 3, 4}
    depth = int(name[8])
    assert all(set(drawn[:, 4 * rule]) == {1, 2, 3, 4} for rule in range(depth))
    assert (drawn[:, range(4 * depth, 8, 4)] == 0).all()


def test_a_quarter_of_the_pairs_is_held_out():
    for depth in (1, 2):
        train, held_out = (
            {(int(r[4 * (depth - 1)]), int(r[8])) for r in Rulesets(depth, h).sample(np.random.default_rng(0), 2000)}
            for h in (False, True)
        )
        assert not train & held_out
        assert (len(train), len(held_out)) == (12, 4)
        assert len({first for first, _ in held_out}) == len({goal for _, goal in held_out}) == 4


def test_object_of_the_goal_is_in_the_room_only_at_depth_0():
    for depth in (0, 1, 2):
        drawn = Rulesets(depth).sample(np.random.default_rng(0), 500)
        present = (drawn[:, rulesets.LAID :] == drawn[:, rulesets.GOAL + 1, None]).any(1)
        assert present.all() if depth == 0 else not present.any()
        assert all(len(set(row)) == rulesets.ITEMS for row in drawn[:, rulesets.LAID :].tolist())
        assert Rulesets(depth).contains(drawn).all()
        assert not Rulesets(depth, held_out=True).contains(drawn).any()
        assert not Rulesets((depth + 1) % 3).contains(drawn).any()


def test_near_view_shows_the_cells_around_the_agent():
    distribution = metarl.get("RuleGrid1Near")
    env, _, rooms = make_env("RuleGrid1Near", 16)
    obs = env._observe().numpy()
    assert distribution.settings["view"] == "near"
    for i, room in enumerate(rooms):
        for row in range(5):
            for column in range(5):
                cell = (room.agent[0] + row - 2, room.agent[1] + column - 2)
                outside = not (0 <= cell[0] < SIZE and 0 <= cell[1] < SIZE)
                assert obs[i, row, column, 0] == outside
                expected = np.zeros(8)
                if cell in room.things:
                    thing = room.things[cell] - 1
                    expected[[thing // 4, 4 + thing % 4]] = 1
                np.testing.assert_array_equal(obs[i, row, column, 1:9], expected)
