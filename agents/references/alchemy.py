"""An observer of Alchemy that believes what Bayes' rule says, exactly, and plays a chemistry drawn from its belief.

It knows the game's prior (Wang et al. 2021) and nothing of the task; its belief is over all 167,424 chemistries. It is
not Bayes-optimal: it plans as if the drawn chemistry were true (posterior sampling), one stone at a time, and spends
the potions it has left where it is least sure of what they do.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, permutations, product

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.checks import check_whole
from metarl.core.agent import AgentType
from metarl.core.rng import numpy_generator
from metarl.core.trials import Step
from metarl.errors import MetarlError

STONES, POTIONS, COLOURS, BEST = 3, 12, 6, 7
CUBE = np.array(list(product((-1, 1), repeat=3)))[:, ::-1]  # corner v has +1 on axis a if bit a of v is set
WORTH = CUBE.sum(1) + 12 * (CUBE.sum(1) == 3)


@dataclass(frozen=True)
class AlchemySettings:
    """Nothing to set but the seed."""

    seed: int = 0
    """of the draws from the belief"""

    def __post_init__(self) -> None:
        check_whole(self, "seed", low=0)


class Chemistries:
    """What chemistries do, and how likely each is: `moves` [distributions, corner, colour], `looks` [looks, corner, feature]."""

    def __init__(self) -> None:
        graphs, prior = zip(*_graphs(), strict=True)
        potions = [
            [(axes[c // 2], ways[c // 2] * (-1) ** c) for c in range(COLOURS)]
            for axes, ways in product(permutations(range(3)), product((1, -1), repeat=3))
        ]
        self.moves = np.array([_dist(graph, effects) for graph in graphs for effects in potions])
        self.prior = np.repeat(np.array(prior) / len(potions), len(potions))
        self.looks = np.array([_look(mirror, turn) for mirror in CUBE for turn in range(4)])


def _graphs() -> list[tuple[set[tuple[int, int]], float]]:
    """The cube's edges (corner, axis) under every set of conditions that leaves it connected, with its probability."""
    conditions = [(axis, other, value) for axis in range(3) for other in range(3) for value in (-1, 1) if other != axis]
    by_count: list[list[set[tuple[int, int]]]] = []
    for count in range(4):
        by_count.append([])
        for chosen in combinations(conditions, count):
            if len({c[:2] for c in chosen}) < count:
                continue  # two that contradict each other
            graph = {(v, a) for v in range(8) for a in range(3) if all(CUBE[v, o] == x for b, o, x in chosen if b == a)}
            if _connected(graph):
                by_count[-1].append(graph)
    return [(graph, 0.25 / len(graphs)) for graphs in by_count for graph in graphs]


def _connected(graph: set[tuple[int, int]]) -> bool:
    steps = np.eye(8, dtype=np.int64)
    for corner, axis in graph:
        steps[corner, corner ^ 1 << axis] = 1
    return bool((np.linalg.matrix_power(steps, 7) > 0).all())


def _dist(graph: set[tuple[int, int]], effects: list[tuple[int, int]]) -> list[list[int]]:
    return [
        [v ^ 1 << axis if CUBE[v, axis] != way and (v, axis) in graph else v for axis, way in effects] for v in range(8)
    ]


def _look(mirror: np.ndarray, turn: int) -> np.ndarray:
    seen = CUBE * mirror
    if turn:
        a, b = [axis for axis in range(3) if axis != turn - 1]
        seen[:, a], seen[:, b] = (seen[:, a] - seen[:, b]) // 2, (seen[:, a] + seen[:, b]) // 2
    return seen


class Table:
    """One environment: what is on the table, what is believed, and what is played as if it were so."""

    def __init__(self, known: Chemistries, rng: np.random.Generator) -> None:
        self.known, self.rng = known, rng
        self.belief = np.repeat(
            known.prior[None] / len(known.looks), len(known.looks), axis=0
        )  # [looks, distributions]
        self.played: tuple[int, int] | None = None  # look, distribution

    def see(self, row: np.ndarray) -> None:
        """The next observation: what no stone there can look like is ruled out."""
        stones, potions = row[: 5 * STONES].reshape(STONES, 5), row[5 * STONES :].reshape(POTIONS, 2)
        self.there, self.full = stones[:, 4] == 0, potions[:, 1] == 0
        self.colours = np.rint((potions[:, 0] + 1) * (COLOURS - 1) / 2).astype(int)
        same = (self.known.looks[:, None] == np.rint(stones[:, None, :3])).all(-1)  # [looks, stones, corners]
        same &= np.abs(np.minimum(WORTH, 3) / 3 - stones[:, 3:4]) < 0.1
        self.corner = same.argmax(2)  # [looks, stones]
        self.belief[~same.any(2)[:, self.there].all(1)] = 0

    def learn(self, stone: int, colour: int, before: np.ndarray) -> None:
        """A stone was dipped: distributions by which it would be elsewhere now are ruled out. before: its corners, [looks]."""
        for look in np.flatnonzero(self.belief.any(1)):
            self.belief[look] *= self.known.moves[:, before[look], colour] == self.corner[look, stone]

    def choose(self) -> int:
        if self.played is None or self.belief[self.played] == 0:
            weights = self.belief.ravel() / self.belief.sum()
            look, dist = np.unravel_index(self.rng.choice(weights.size, p=weights), self.belief.shape)
            self.played = int(look), int(dist)
        look, dist = self.played
        plans = [self._plan(int(self.corner[look, i]), self.known.moves[dist]) for i in range(STONES)]
        gains = [gain if there else 0.0 for (gain, _), there in zip(plans, self.there, strict=True)]
        worth = np.where(self.there, WORTH[self.corner[look]], -9)
        if worth.max() == WORTH[BEST]:
            return 1 + int(worth.argmax()) * (1 + POTIONS)
        if max(gains) > 0:
            stone = int(np.argmax(gains))
            return self._dip(stone, plans[stone][1])
        if worth.max() > 0:
            return 1 + int(worth.argmax()) * (1 + POTIONS)
        return self._experiment()

    def _plan(self, corner: int, moves: np.ndarray) -> tuple[float, int]:
        """What the best corner within reach pays more than now, a little less for each potion; the first colour."""
        stock = np.bincount(self.colours[self.full], minlength=COLOURS)
        best, frontier, seen = (0.0, -1), [(corner, -1, stock, 0)], {corner}
        for at, first, left, used in frontier:
            gain = float(WORTH[at] - max(WORTH[corner], 0)) - 0.01 * used
            if gain > best[0]:
                best = gain, first
            for colour in np.flatnonzero(left):
                after = int(moves[at, colour])
                if after not in seen:
                    seen.add(after)
                    rest = left - (np.arange(COLOURS) == colour)
                    frontier.append((after, int(colour) if first < 0 else first, rest, used + 1))
        return best

    def _experiment(self) -> int:
        """With a stone that is worth nothing, the potion whose effect is least sure; nothing where all is sure."""
        look, _ = self.played or (0, 0)
        if not (self.there.any() and self.full.any()):
            return 0
        stone, dist = int(np.flatnonzero(self.there)[0]), self.belief[look] / self.belief[look].sum()
        corner = int(self.corner[look, stone])
        stock = set(self.colours[self.full].tolist())
        sure = {c: abs(float(dist @ (self.known.moves[:, corner, c] != corner)) - 0.5) for c in stock}
        colour = min(sure, key=lambda c: sure[c])
        return self._dip(stone, colour) if sure[colour] < 0.499 else 0

    def _dip(self, stone: int, colour: int) -> int:
        return 2 + stone * (1 + POTIONS) + int(np.flatnonzero(self.full & (self.colours == colour))[0])


class AlchemyObserver:
    """A table for each environment."""

    def __init__(self, observation_space: gym.Space, action_space: gym.Space, settings: AlchemySettings) -> None:
        if observation_space.shape != (5 * STONES + 2 * POTIONS,) or getattr(action_space, "n", 0) != 40:
            raise MetarlError(f"the observer plays Alchemy, not in {observation_space} with {action_space}")
        self.settings = settings
        self.known = Chemistries()

    def begin(self, num_envs: int) -> None:
        self.tables = [
            Table(self.known, numpy_generator(self.settings.seed, "alchemy observer", i)) for i in range(num_envs)
        ]

    def act(self, obs: Tensor) -> Tensor:
        self.actions = []
        for table, row in zip(self.tables, obs.cpu().numpy(), strict=True):
            table.see(row)
            self.actions.append(table.choose())
        return torch.tensor(self.actions, device=obs.device)

    def observe(self, step: Step) -> None:
        for table, action, row in zip(self.tables, self.actions, step.final_obs.cpu().numpy(), strict=True):
            stone, into = divmod(action - 1, 1 + POTIONS)
            before, colours = table.corner, table.colours
            table.see(row)
            if action > 0 and into > 0:
                table.learn(stone, int(colours[into - 1]), before[:, stone])


ALCHEMY_OBSERVER = AgentType(
    "alchemy-observer", AlchemySettings, None,
    lambda seen, actions, settings, *_: AlchemyObserver(seen, actions, settings),
    about="Alchemy: exact belief over all chemistries, plays one drawn from it (posterior sampling)",
)  # fmt: skip
