"""RuleGrid against its rules told plainly, and a plan that reaches the goal of every ruleset."""

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
WAYS = {UP: (-1, 0), RIGHT: (0, 1), DOWN: (1, 0), LEFT: (0, -1)}
NAMES = ("RuleGrid0", "RuleGrid1", "RuleGrid2", "RuleGrid1Near")


class Room:
    """One room told plainly: things by their cell, and what an action does to them."""

    def __init__(self, ruleset, things, at):
        rules = [ruleset[4 * i : 4 * i + 4] for i in range(2)]
        self.rules = [(("near", "hold", "drop", "step")[kind - 1], a, b, c) for kind, a, b, c in rules if kind]
        kind, *self.ends = ruleset[8:11]
        self.goal = ("meet", "take", "stand", "corner")[kind - 1]
        self.things = dict(things)
        self.at = at
        self.pocket = None

    def beside(self, cell, thing):
        for down, right in WAYS.values():
            near = (cell[0] + down, cell[1] + right)
            if self.things.get(near) == thing:
                return near
        return None

    def meeting(self, a, b):
        """The cell beside the agent's that holds the other of a and b, if the agent's holds one of them."""
        here = self.things.get(self.at)
        if here is None or here not in (a, b):
            return None
        return self.beside(self.at, b if here == a else a)

    def step(self, action):
        """Reward and whether the goal is reached."""
        event = None
        if action in WAYS:
            row, column = self.at[0] + WAYS[action][0], self.at[1] + WAYS[action][1]
            if 0 <= row < SIZE and 0 <= column < SIZE:
                self.at, event = (row, column), "step"
        elif action == PICK and self.pocket is None and self.at in self.things:
            self.pocket, event = self.things.pop(self.at), "take"
        elif action == PUT and self.pocket is not None and self.at not in self.things:
            self.things[self.at], self.pocket, event = self.pocket, None, "put"

        for kind, a, b, c in self.rules:
            if kind == "hold" and event == "take" and self.pocket == a:
                self.pocket = c
            if (kind, event) in (("drop", "put"), ("step", "step")) and self.things.get(self.at) == a:
                self.things[self.at] = c
            if kind == "near" and event == "put" and (other := self.meeting(a, b)):
                del self.things[other]
                self.things[self.at] = c
        done = self.reached(event)
        return (1.0 if done else 0.0) - 0.01, done

    def reached(self, event):
        a, b = self.ends
        if self.goal == "take":
            return event == "take" and self.pocket == a
        if event not in ("put", "step") or (self.goal != "stand" and event == "step"):
            return False
        if self.goal == "meet":
            return self.meeting(a, b) is not None
        return self.things.get(self.at) == a and (self.goal == "stand" or self.at in CORNERS)


CORNERS = [(row, column) for row in (0, SIZE - 1) for column in (0, SIZE - 1)]


class Plan:
    """Reaches the goal by making what it asks for, from the rules backwards."""

    def __init__(self, room):
        self.room = room
        self.actions = []
        self.done = False
        thing, partner = room.ends
        self.make(thing)
        if room.goal == "take":
            self.take(thing)
        elif room.goal == "stand":
            if not self.done and room.pocket == thing:
                self.put(self.empty())
            self.go_upon(thing)
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
        """By the shortest way that treads on nothing that would turn, but for the aim."""
        if self.done or cell == self.room.at:
            return
        turns = [a for kind, a, _, _ in self.room.rules if kind == "step"]
        reached = {self.room.at: []}
        frontier = [self.room.at]
        while cell not in reached:
            here = frontier.pop(0)
            for action, (down, right) in WAYS.items():
                there = (here[0] + down, here[1] + right)
                inside = 0 <= there[0] < SIZE and 0 <= there[1] < SIZE
                if inside and there not in reached and (there == cell or self.room.things.get(there) not in turns):
                    reached[there] = [*reached[here], action]
                    frontier.append(there)
        for action in reached[cell]:
            self.do(action)

    def where(self, thing) -> Any:
        return next((cell for cell, lies in self.room.things.items() if lies == thing), None)

    def empty(self):
        """An empty cell beside nothing, so that nothing meets."""
        cells = [(row, column) for row in range(SIZE) for column in range(SIZE)]
        lonely = [c for c in cells if not any(abs(c[0] - r) + abs(c[1] - q) <= 1 for r, q in self.room.things)]
        return min(lonely, key=lambda c: abs(c[0] - self.room.at[0]) + abs(c[1] - self.room.at[1]))

    def cell_beside(self, thing):
        row, column = self.where(thing)
        cells = [(row + down, column + right) for down, right in WAYS.values()]
        return next(c for c in cells if c not in self.room.things and 0 <= c[0] < SIZE and 0 <= c[1] < SIZE)

    def take(self, thing):
        if not self.done and self.room.pocket != thing:
            if self.room.pocket is not None:
                self.put(self.empty())
            self.go_upon(thing)
            self.do(PICK)

    def put(self, cell):
        self.go(cell)
        self.do(PUT)

    def go_upon(self, thing):
        if not self.done:
            cell = self.where(thing)
            if cell == self.room.at:  # off, so as to step on again
                self.go(next(c for c in self.free_beside(cell)))
            self.go(cell)

    def free_beside(self, cell):
        for down, right in WAYS.values():
            there = (cell[0] + down, cell[1] + right)
            if 0 <= there[0] < SIZE and 0 <= there[1] < SIZE and there not in self.room.things:
                yield there

    def make(self, thing):
        room = self.room
        rule = next((r for r in room.rules if r[3] == thing), None)
        if self.done or rule is None or room.pocket == thing or self.where(thing) is not None:
            return
        kind, a, b, _ = rule
        self.make(a)
        if self.done or room.pocket == thing or self.where(thing) is not None:
            return
        if kind == "step":
            if room.pocket == a:
                self.put(self.empty())
            self.go_upon(a)
        elif kind == "hold":
            if room.pocket == a:
                self.put(self.empty())
            self.take(a)
        else:
            self.take(a)
            self.put(self.empty() if kind == "drop" else self.cell_beside(b))


def rooms(env, tasks):
    """The plain rooms of environments that have just begun."""
    table = env.simulation
    for i in range(env.num_envs):
        lie = {divmod(c, SIZE): thing for c, thing in enumerate(table.room[i].tolist()) if thing}
        yield Room(tasks.task(i)["ruleset"], lie, divmod(int(table.cell[i]), SIZE))


def begun(name, n, split="train"):
    family = metarl.get(name)
    tasks = family.tasks(split, n)
    env: Any = Environment(family, n)
    env.assign(tasks)
    env.seed(1)
    env.reset()
    return env, tasks, list(rooms(env, tasks))


@pytest.mark.parametrize("name", NAMES)
def test_the_game_is_as_told_plainly(name):
    env, _, each = begun(name, 24)
    rng = np.random.default_rng(0)
    over = np.zeros(24, bool)
    for _ in range(150):
        action = rng.choice(6, 24, p=[0.15, 0.15, 0.15, 0.15, 0.2, 0.2])
        moved = env.step(torch.from_numpy(action))
        told = [room.step(int(a)) for room, a in zip(each, action, strict=True)]
        np.testing.assert_allclose(moved.reward.numpy(), [reward for reward, _ in told], atol=1e-6)
        assert moved.terminated.tolist() == [done for _, done in told]
        over |= moved.terminated.numpy()
        for i, room in enumerate(each):
            lie = {divmod(c, SIZE): thing for c, thing in enumerate(env.simulation.room[i].tolist()) if thing}
            assert lie == room.things
            assert (int(env.simulation.pocket[i]) or None) == room.pocket
    assert over.any()


@pytest.mark.parametrize("split", ["train", "ood"])
@pytest.mark.parametrize("name", NAMES[:3])
def test_every_goal_can_be_reached_within_the_horizon(name, split):
    """By a plan from the rules backwards; every type of rule and of goal is among them."""
    n = 100
    env, tasks, each = begun(name, n, split)
    plans = [Plan(room) for room in each]
    assert all(plan.done for plan in plans)
    assert max(len(plan.actions) for plan in plans) <= metarl.get(name).horizon
    steps = max(len(plan.actions) for plan in plans)
    acted = np.array([plan.actions + [PUT] * (steps - len(plan.actions)) for plan in plans])
    ended = np.full(n, -1)
    for t in range(steps):
        moved = env.step(torch.from_numpy(acted[:, t]))
        ended = np.where((ended < 0) & moved.terminated.numpy(), t + 1, ended)
    assert ended.tolist() == [len(plan.actions) for plan in plans]
    sets = tasks.params["ruleset"]
    assert set(sets[:, rulesets.GOAL]) == {1, 2, 3, 4}
    depth = int(name[8])
    assert all(set(sets[:, 4 * rule]) == {1, 2, 3, 4} for rule in range(depth))
    assert (sets[:, range(4 * depth, 8, 4)] == 0).all()


def test_a_quarter_of_the_pairs_is_held_out():
    for depth in (1, 2):
        seen, held = (
            {(int(r[4 * (depth - 1)]), int(r[8])) for r in Rulesets(depth, h).sample(np.random.default_rng(0), 2000)}
            for h in (False, True)
        )
        assert not seen & held
        assert (len(seen), len(held)) == (12, 4)
        assert len({first for first, _ in held}) == len({goal for _, goal in held}) == 4


def test_what_the_goal_asks_for_lies_about_only_at_depth_0():
    for depth in (0, 1, 2):
        drawn = Rulesets(depth).sample(np.random.default_rng(0), 500)
        lies = (drawn[:, rulesets.LAID :] == drawn[:, rulesets.GOAL + 1, None]).any(1)
        assert lies.all() if depth == 0 else not lies.any()
        assert all(len(set(row)) == rulesets.ITEMS for row in drawn[:, rulesets.LAID :].tolist())
        assert Rulesets(depth).contains(drawn).all()
        assert not Rulesets(depth, held_out=True).contains(drawn).any()
        assert not Rulesets((depth + 1) % 3).contains(drawn).any()


def test_the_near_view_is_a_window_of_the_full_one():
    family = metarl.get("RuleGrid1Near")
    env, _, each = begun("RuleGrid1Near", 16)
    obs = env._observe().numpy()
    assert family.settings["view"] == "near"
    for i, room in enumerate(each):
        for row in range(5):
            for column in range(5):
                cell = (room.at[0] + row - 2, room.at[1] + column - 2)
                outside = not (0 <= cell[0] < SIZE and 0 <= cell[1] < SIZE)
                assert obs[i, row, column, 0] == outside
                expected = np.zeros(8)
                if cell in room.things:
                    thing = room.things[cell] - 1
                    expected[[thing // 4, 4 + thing % 4]] = 1
                np.testing.assert_array_equal(obs[i, row, column, 1:9], expected)
