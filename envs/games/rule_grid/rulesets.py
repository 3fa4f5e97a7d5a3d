"""The grammar of RuleGrid: production rules and a goal over coloured objects, sampled such that the goal is reachable.

A ruleset is a vector of integers: RULES times (type, a, b, c), the goal (type, a, b), and the ITEMS objects that are in
the room at the start, sorted. Objects are 1 to 16, a shape and a colour; 0 is none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from metarl.tasks.samplers import Sampler

SHAPES = ("ball", "cube", "key", "star")
COLOURS = ("red", "green", "blue", "yellow")
THINGS = len(SHAPES) * len(COLOURS)
RULES, ITEMS = 2, 6
GOAL = 4 * RULES  # index of the goal in a ruleset
LAID = GOAL + 3  # index of the objects in the room
LENGTH = LAID + ITEMS

NEAR, HOLD, DROP, STEP = 1, 2, 3, 4  # types of rules; see RuleGrid
MEET, TAKE, STAND, CORNER = 1, 2, 3, 4  # types of goals
TYPES = 4


def shape_of(thing: np.ndarray) -> np.ndarray:
    return (thing - 1) // len(COLOURS)


@dataclass(frozen=True)
class Rulesets(Sampler):
    """Rulesets of a depth, the number of rules between the objects at the start and the object of the goal.

    A quarter of the pairs (type of the last rule, type of the goal) is held out: it occurs only with `held_out`, and
    then no other pair does. At depth 0, which has no rules, the pairs are (shape of the goal's object, type of the
    goal).
    """

    depth: int
    held_out: bool = False
    shape: tuple[int, ...] = field(init=False, default=(LENGTH,))
    integer = True

    def __post_init__(self) -> None:
        if self.depth not in range(RULES + 1):
            raise self.wrong(f"depth must be 0 to {RULES}, got {self.depth!r}")

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        accepted = [np.empty((0, LENGTH), np.int64)]
        while sum(map(len, accepted)) < n:
            drawn = self._draw(rng, 2 * n + 8)
            accepted.append(drawn[self._is_held_out(drawn) == self.held_out])
        return np.concatenate(accepted)[:n]

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        high = np.full(LENGTH, THINGS)
        high[[*range(0, GOAL, 4), GOAL]] = TYPES
        return np.zeros(LENGTH, np.int64), high

    def _inside(self, x: np.ndarray) -> np.ndarray:
        return (self._is_held_out(x.astype(np.int64)) == self.held_out) & (self._depth(x) == self.depth)

    def _depth(self, x: np.ndarray) -> np.ndarray:
        return (x[:, range(0, GOAL, 4)] > 0).sum(1)

    def _is_held_out(self, x: np.ndarray) -> np.ndarray:
        """Return whether the pair of each ruleset is held out, bool [n]."""
        first = shape_of(x[:, GOAL + 1]) if self.depth == 0 else x[:, 4 * (self.depth - 1)]
        return (first + x[:, GOAL]) % TYPES == 0

    def _draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw n rulesets, backwards: `target`, the goal's object, is the last rule's product, and so on."""
        things = rng.permuted(np.tile(np.arange(1, THINGS + 1), (n, 1)), axis=1).T
        target, partner, *others = things
        out = np.zeros((n, LENGTH), np.int64)
        laid, product = [partner], target
        for rule in reversed(range(self.depth)):
            kind = rng.integers(1, TYPES + 1, n)
            a, b, *others = others
            out[:, 4 * rule : 4 * rule + 4] = np.stack([kind, a, np.where(kind == NEAR, b, 0), product], 1)
            laid.append(b)
            product = a
        goal = rng.integers(1, TYPES + 1, n)
        out[:, GOAL] = goal
        operands = np.stack([target, np.where(goal == MEET, partner, 0)])
        # Without rules, the operands of MEET are interchangeable: they are sorted, so that a task has one encoding.
        swap = (goal == MEET) & (self.depth == 0)
        out[:, GOAL + 1 : LAID] = np.where(swap, np.sort(operands, 0), operands).T
        out[:, LAID:] = np.sort(np.stack([product, *laid, *others][:ITEMS]), 0).T
        return out
