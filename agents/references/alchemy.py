"""Posterior sampling for Alchemy: exact inference over chemistries, and plans for one drawn from the posterior.

The agent has the game's prior (Wang et al. 2021) and no information about the task. Its posterior is over all 167,424
chemistries. It is not Bayes-optimal: it plans as if the drawn chemistry were true, one stone at a time, and uses the
remaining potions where their effects are least certain.
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
WORTH = CUBE.sum(1) + 12 * (CUBE.sum(1) == 3)  # the reward for a stone at each corner


@dataclass(frozen=True)
class AlchemySettings:
    """Settings of the Alchemy observer."""

    seed: int = 0
    """seed of the draws from the posterior"""

    def __post_init__(self) -> None:
        check_whole(self, "seed", low=0)


class Chemistries:
    """All chemistries: each is a transition table and a look.

    moves: int [tables, corner, colour], the corner after a dip into a potion of the colour. prior: float [tables].
    looks: int [looks, corner, feature], the visible features of a stone at the corner; all looks are equally likely.
    """

    def __init__(self) -> None:
        graphs, prior = zip(*_graphs(), strict=True)
        potions = [
            [(axes[c // 2], ways[c // 2] * (-1) ** c) for c in range(COLOURS)]
            for axes, ways in product(permutations(range(3)), product((1, -1), repeat=3))
        ]
        self.moves = np.array([_moves(graph, effects) for graph in graphs for effects in potions])
        self.prior = np.repeat(np.array(prior) / len(potions), len(potions))
        self.looks = np.array([_look(mirror, turn) for mirror in CUBE for turn in range(4)])


def _graphs() -> list[tuple[set[tuple[int, int]], float]]:
    """Return every connected subgraph of the cube that conditions can leave, as edges (corner, axis); and its prior."""
    conditions = [(axis, other, value) for axis in range(3) for other in range(3) for value in (-1, 1) if other != axis]
    by_count: list[list[set[tuple[int, int]]]] = []
    for count in range(4):
        by_count.append([])
        for chosen in combinations(conditions, count):
            if len({c[:2] for c in chosen}) < count:
                continue  # two conditions contradict each other
            graph = {(v, a) for v in range(8) for a in range(3) if all(CUBE[v, o] == x for b, o, x in chosen if b == a)}
            if _connected(graph):
                by_count[-1].append(graph)
    return [(graph, 0.25 / len(graphs)) for graphs in by_count for graph in graphs]


def _connected(graph: set[tuple[int, int]]) -> bool:
    steps = np.eye(8, dtype=np.int64)
    for corner, axis in graph:
        steps[corner, corner ^ 1 << axis] = 1
    return bool((np.linalg.matrix_power(steps, 7) > 0).all())


def _moves(graph: set[tuple[int, int]], effects: list[tuple[int, int]]) -> list[list[int]]:
    return [
        [v ^ 1 << axis if CUBE[v, axis] != way and (v, axis) in graph else v for axis, way in effects] for v in range(8)
    ]


def _look(mirror: np.ndarray, turn: int) -> np.ndarray:
    features = CUBE * mirror
    if turn:
        a, b = [axis for axis in range(3) if axis != turn - 1]
        x, y = features[:, a], features[:, b]
        features[:, a], features[:, b] = (x - y) // 2, (x + y) // 2
    return features


class AlchemyBelief:
    """The stones and potions of one environment, the posterior over its chemistry, and one chemistry drawn from it."""

    def __init__(self, chemistries: Chemistries, rng: np.random.Generator) -> None:
        self.chemistries, self.rng = chemistries, rng
        looks = len(chemistries.looks)
        self.posterior = np.repeat(chemistries.prior[None] / looks, looks, axis=0)  # [looks, tables], not normalised
        self.drawn: tuple[int, int] | None = None  # look, table

    def read(self, row: np.ndarray) -> None:
        """Read the stones and potions of an observation, and rule out looks that contradict it."""
        stones, potions = row[: 5 * STONES].reshape(STONES, 5), row[5 * STONES :].reshape(POTIONS, 2)
        self.present, self.full = stones[:, 4] == 0, potions[:, 1] == 0
        self.colours = np.rint((potions[:, 0] + 1) * (COLOURS - 1) / 2).astype(int)
        # [looks, stones, corners]
        matches = (self.chemistries.looks[:, None] == np.rint(stones[:, None, :3])).all(-1)
        matches &= np.abs(np.minimum(WORTH, 3) / 3 - stones[:, 3:4]) < 0.1
        self.corner = matches.argmax(2)  # [looks, stones]
        self.posterior[~matches.any(2)[:, self.present].all(1)] = 0

    def learn(self, stone: int, colour: int, before: np.ndarray) -> None:
        """Rule out transition tables that contradict a dip. before: the stone's corner before it, [looks]."""
        for look in np.flatnonzero(self.posterior.any(1)):
            self.posterior[look] *= self.chemistries.moves[:, before[look], colour] == self.corner[look, stone]

    def choose_action(self) -> int:
        """Return the next action; draw another chemistry if the last one has been ruled out."""
        if self.drawn is None or self.posterior[self.drawn] == 0:
            weights = self.posterior.ravel() / self.posterior.sum()
            look, table = np.unravel_index(self.rng.choice(weights.size, p=weights), self.posterior.shape)
            self.drawn = int(look), int(table)
        look, table = self.drawn
        plans = [self._plan(int(self.corner[look, i]), self.chemistries.moves[table]) for i in range(STONES)]
        gains = [gain if present else 0.0 for (gain, _), present in zip(plans, self.present, strict=True)]
        worth = np.where(self.present, WORTH[self.corner[look]], -9)
        if worth.max() == WORTH[BEST]:
            return 1 + int(worth.argmax()) * (1 + POTIONS)
        if max(gains) > 0:
            stone = int(np.argmax(gains))
            return self._dip(stone, plans[stone][1])
        if worth.max() > 0:
            return 1 + int(worth.argmax()) * (1 + POTIONS)
        return self._experiment()

    def _plan(self, corner: int, moves: np.ndarray) -> tuple[float, int]:
        """Return the best gain in worth within reach, less 0.01 a potion, and its first potion's colour (-1: none)."""
        stock = np.bincount(self.colours[self.full], minlength=COLOURS)
        best, frontier, reached = (0.0, -1), [(corner, -1, stock, 0)], {corner}
        for at, first, left, used in frontier:
            gain = float(WORTH[at] - max(WORTH[corner], 0)) - 0.01 * used
            if gain > best[0]:
                best = gain, first
            for colour in np.flatnonzero(left):
                after = int(moves[at, colour])
                if after not in reached:
                    reached.add(after)
                    rest = left - (np.arange(COLOURS) == colour)
                    frontier.append((after, int(colour) if first < 0 else first, rest, used + 1))
        return best

    def _experiment(self) -> int:
        """Return a dip of a stone into the potion whose effect is least certain; 0, no action, if all are certain."""
        look, _ = self.drawn or (0, 0)
        if not (self.present.any() and self.full.any()):
            return 0
        stone = int(np.flatnonzero(self.present)[0])
        probability = self.posterior[look] / self.posterior[look].sum()
        corner = int(self.corner[look, stone])
        stock = set(self.colours[self.full].tolist())
        certainty = {c: abs(float(probability @ (self.chemistries.moves[:, corner, c] != corner)) - 0.5) for c in stock}
        colour = min(certainty, key=lambda c: certainty[c])
        return self._dip(stone, colour) if certainty[colour] < 0.499 else 0

    def _dip(self, stone: int, colour: int) -> int:
        return 2 + stone * (1 + POTIONS) + int(np.flatnonzero(self.full & (self.colours == colour))[0])


class AlchemyObserver:
    """An agent that keeps a posterior over chemistries for each environment, and acts by draws from it."""

    def __init__(self, observation_space: gym.Space, action_space: gym.Space, settings: AlchemySettings) -> None:
        if observation_space.shape != (5 * STONES + 2 * POTIONS,) or getattr(action_space, "n", 0) != 40:
            raise MetarlError(f"alchemy-observer acts in Alchemy alone, not in {observation_space} with {action_space}")
        self.settings = settings
        self.chemistries = Chemistries()

    def begin(self, num_envs: int) -> None:
        self.beliefs = [
            AlchemyBelief(self.chemistries, numpy_generator(self.settings.seed, "alchemy observer", i))
            for i in range(num_envs)
        ]

    def act(self, obs: Tensor) -> Tensor:
        self.actions = []
        for belief, row in zip(self.beliefs, obs.cpu().numpy(), strict=True):
            belief.read(row)
            self.actions.append(belief.choose_action())
        return torch.tensor(self.actions, device=obs.device)

    def observe(self, step: Step) -> None:
        for belief, action, row in zip(self.beliefs, self.actions, step.final_obs.cpu().numpy(), strict=True):
            stone, potion = divmod(action - 1, 1 + POTIONS)
            before, colours = belief.corner, belief.colours
            belief.read(row)
            if action > 0 and potion > 0:
                belief.learn(stone, int(colours[potion - 1]), before[:, stone])


ALCHEMY_OBSERVER = AgentType(
    "alchemy-observer", AlchemySettings, None,
    lambda observations, actions, settings, *_: AlchemyObserver(observations, actions, settings),
    about="reference on Alchemy: exact posterior over chemistries, plans for one drawn from it (posterior sampling)",
)  # fmt: skip
