"""The grammar of RuleGrid: production rules and a goal over coloured things, drawn so that the goal can be reached.

A ruleset is a vector of integers: RULES times (type, a, b, c), the goal (type, a, b), and the ITEMS things that lie
about at the start, sorted. Things are 1 to 16, a shape and a colour; 0 is none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from metarl.tasks.samplers import Sampler

SHAPES = ("ball", "cube", "key", "star")
COLOURS = ("red", "green", "blue", "yellow")
THINGS = len(SHAPES) * len(COLOURS)
RULES, ITEMS = 2, 6
GOAL = 4 * RULES  # where the goal stands in a ruleset
LAID = GOAL + 3  # where the things that lie about do
LENGTH = LAID + ITEMS

NEAR, HOLD, DROP, STEP = 1, 2, 3, 4  # rules; see RuleGrid
MEET, TAKE, STAND, CORNER = 1, 2, 3, 4  # goals
TYPES = 4


def shape_of(thing: np.ndarray) -> np.ndarray:
    return (thing - 1) // len(COLOURS)


@dataclass(frozen=True)
class Rulesets(Sampler):
    """Rulesets of a depth: how many rules lie between what there is at the start and what the goal asks for.

    A quarter of the pairs (type of the last rule, type of the goal) is held out: of the rulesets drawn when `held_out`,
    and of no others. At depth 0, where there is no rule, pairs are (shape asked for, type of the goal).
    """

    depth: int
    held_out: bool = False
    shape: tuple[int, ...] = field(init=False, default=(LENGTH,))
    integer = True

    def __post_init__(self) -> None:
        if self.depth not in range(RULES + 1):
            raise self.wrong(f"depth must be 0 to {RULES}, got {self.depth!r}")

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        kept = [np.empty((0, LENGTH), np.int64)]
        while sum(map(len, kept)) < n:
            drawn = self._draw(rng, 2 * n + 8)
            kept.append(drawn[self._held(drawn) == self.held_out])
        return np.concatenate(kept)[:n]

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        high = np.full(LENGTH, THINGS)
        high[[*range(0, GOAL, 4), GOAL]] = TYPES
        return np.zeros(LENGTH, np.int64), high

    def _inside(self, x: np.ndarray) -> np.ndarray:
        return (self._held(x.astype(np.int64)) == self.held_out) & (self._depth(x) == self.depth)

    def _depth(self, x: np.ndarray) -> np.ndarray:
        return (x[:, range(0, GOAL, 4)] > 0).sum(1)

    def _held(self, x: np.ndarray) -> np.ndarray:
        """bool [n]: whether a ruleset's pair is held out."""
        first = shape_of(x[:, GOAL + 1]) if self.depth == 0 else x[:, 4 * (self.depth - 1)]
        return (first + x[:, GOAL]) % TYPES == 0

    def _draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Rulesets in which the goal asks for `wanted`, the last rule's product, and each rule for the one before's."""
        things = rng.permuted(np.tile(np.arange(1, THINGS + 1), (n, 1)), axis=1).T
        wanted, partner, *others = things
        out = np.zeros((n, LENGTH), np.int64)
        laid, product = [partner], wanted
        for rule in reversed(range(self.depth)):
            kind = rng.integers(1, TYPES + 1, n)
            a, b, *others = others
            out[:, 4 * rule : 4 * rule + 4] = np.stack([kind, a, np.where(kind == NEAR, b, 0), product], 1)
            laid.append(b)
            product = a
        goal = rng.integers(1, TYPES + 1, n)
        out[:, GOAL] = goal
        ends = np.stack([wanted, np.where(goal == MEET, partner, 0)])
        swap = (goal == MEET) & (self.depth == 0)  # either may be named first: the smaller, so that a task has one name
        out[:, GOAL + 1 : LAID] = np.where(swap, np.sort(ends, 0), ends).T
        out[:, LAID:] = np.sort(np.stack([product, *laid, *others][:ITEMS]), 0).T
        return out
