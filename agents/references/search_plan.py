r"""Bayes-optimal search for a hidden cell of a grid, by dynamic programming over beliefs, with an upper bound.

The goal is one of a set of cells with equal probability. Moves are deterministic, and each step shows whether the agent
is on the goal. The belief is therefore the set of cells not yet visited, and until the goal is found, a step only rules
out one cell. A policy is one walk of K episodes of H steps, followed until it finds the goal, and from then on the
shortest way to the goal. A goal c that is first visited in step h of episode e (from 0) adds

$$G_c(e, h) = (H - h) + (K - 1 - e)\,(H - \max(d_c, 1) + 1)$$

steps on the goal ($d_c$: its distance from the start), or $1 + (K - 1 - e)$ if the goal gives its reward once and ends
the episode. The walk that maximises the sum of G over cells is planned step by step over states (visited cells, place).
Of equal states the one with the highest value is kept. States whose value plus an upper bound on their future gain is
below the highest value so far are dropped. The bound assumes that every later step visits one more cell, in order of
decreasing worth, and in later episodes not before the nearest of them can be reached. If more than `width` states are
left, the most promising ones are kept; the highest bound among the dropped states then limits the distance of the walk
from the optimum. The walk is optimal if its gain equals the bound.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from metarl.core.rng import numpy_generator

MOVES = np.array([(0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)])  # stay, up, right, down, left


@dataclass(frozen=True)
class Search:
    """A search problem."""

    size: int  # n: cells are x + n y
    start: int
    nearest: int  # the goal is beyond this Chebyshev distance from the start; -1: it may be any cell
    horizon: int
    episodes: int
    once: bool  # the goal gives its reward once and ends the episode

    @property
    def places(self) -> np.ndarray:
        """x and y of every cell, int [n^2, 2]."""
        cells = np.arange(self.size**2)
        return np.stack([cells % self.size, cells // self.size], 1)

    @property
    def candidates(self) -> np.ndarray:
        """Cells that may be the goal, bool [n^2]."""
        return np.abs(self.places - self.places[self.start]).max(1) > self.nearest

    @property
    def distances(self) -> np.ndarray:
        """Distances of all cells from the start in steps, int [n^2]."""
        return np.abs(self.places - self.places[self.start]).sum(1)

    def gains(self, episode: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the gain G of a first visit in an episode, as a part by step [H] plus a part by cell [n^2]."""
        later = self.episodes - 1 - episode
        if self.once:
            return np.ones(self.horizon), np.full(self.size**2, float(later))
        return np.arange(self.horizon, 0.0, -1.0), later * (self.horizon + 1.0 - np.maximum(self.distances, 1))


@dataclass(frozen=True)
class Plan:
    """A walk, its gain, and an upper bound on the gain of any walk."""

    actions: np.ndarray  # int [K, H]
    gain: float  # sum of G over all cells
    bound: float  # upper bound on the gain of any walk


@functools.cache
def best_search(search: Search, width: int, border: float = 0.0) -> Plan:
    """Return the walk of the highest expected return among those that keep `width` states a step.

    border: penalty on a state for each pair of neighbouring cells of which one is visited and the other is not; with 0,
    states are ranked by the bound alone. Where the bound is loose, a penalty finds better walks: it avoids walks that
    leave single cells behind.
    """
    states = _States.first(search)
    steps: list[tuple[np.ndarray, np.ndarray]] = []  # parents and actions of each step's states
    dropped = 0.0
    for episode in range(search.episodes):
        states = states.at_start(search)
        for step in range(search.horizon):
            states, parents, actions = states.after(search, episode, step)
            promise = states.value + states.bounds(search, episode, step)
            order = np.argsort(border * states.border(search.size) - promise, kind="stable")
            if len(order) > width:
                dropped = max(dropped, float(promise[order[width:]].max()))
            keep = order[:width]
            keep = keep[promise[keep] >= states.value.max()]
            states = states.take(keep)
            steps.append((parents[keep], actions[keep]))
    best = int(states.value.argmax())
    walk, at = [], best
    for parents, actions in reversed(steps):
        walk.append(actions[at])
        at = parents[at]
    gain = float(states.value[best])
    return Plan(np.array(walk[::-1]).reshape(search.episodes, search.horizon), gain, max(gain, dropped))


@dataclass
class _States:
    left: np.ndarray  # bool [n, cells], possible goals not yet visited
    place: np.ndarray  # int [n]
    value: np.ndarray  # float [n]

    @staticmethod
    def first(search: Search) -> _States:
        return _States(search.candidates[None], np.array([search.start]), np.zeros(1))

    def take(self, rows: np.ndarray) -> _States:
        return _States(self.left[rows], self.place[rows], self.value[rows])

    def at_start(self, search: Search) -> _States:
        return _States(self.left, np.full_like(self.place, search.start), self.value)

    def after(self, search: Search, episode: int, step: int) -> tuple[_States, np.ndarray, np.ndarray]:
        """Return the states after one more step, without duplicates; and for each its parent and its action."""
        count, (by_step, by_cell) = len(self.place), search.gains(episode)
        xy = search.places[self.place][:, None] + MOVES  # [n, 5, 2]
        xy = xy.clip(0, search.size - 1)
        place = (xy[..., 0] + search.size * xy[..., 1]).ravel()
        parents, actions = np.repeat(np.arange(count), 5), np.tile(np.arange(5), count)
        new = self.left[parents, place]
        value = self.value[parents] + np.where(new, by_step[step] + by_cell[place], 0.0)
        keys = numpy_generator("search plan").integers(2**63, size=(2, len(by_cell)))  # visited cells, places
        hashes = (self.left @ keys[0])[parents] - np.where(new, keys[0][place], 0) + keys[1][place]
        order = np.lexsort((-value, hashes))
        chosen = order[np.unique(hashes[order], return_index=True)[1]]
        left = self.left[parents[chosen]]
        left[np.arange(len(chosen)), place[chosen]] = False
        return _States(left, place[chosen], value[chosen]), parents[chosen], actions[chosen]

    def border(self, size: int) -> np.ndarray:
        """Return the number of pairs of neighbouring cells of which one is left and the other is not, [n]."""
        left = self.left.reshape(-1, size, size)
        return (left[:, 1:] != left[:, :-1]).sum((1, 2)) + (left[..., 1:] != left[..., :-1]).sum((1, 2))

    def bounds(self, search: Search, episode: int, step: int) -> np.ndarray:
        """Return upper bounds on the gain that a walk can add by the cells that are left, [n]."""
        count = self.left.sum(1)
        nearest = np.where(self.left, np.maximum(search.distances, 1), search.horizon + 1).min(1)
        # A step that finds a cell adds a gain by step, and the worth of the cell for each later episode.
        worth = np.where(self.left, search.gains(search.episodes - 2)[1], 0.0)  # gain in one later episode
        worth = -np.sort(-worth, axis=1)
        total, found = np.zeros(len(count)), np.zeros(len(count), int)
        worth_before = np.concatenate([np.zeros((len(count), 1)), worth.cumsum(1)], 1)
        rows = np.arange(len(count))
        for e in range(episode, search.episodes):
            by_step = search.gains(e)[0]
            first = np.full(len(count), step + 1) if e == episode else nearest - 1
            slots = np.maximum(search.horizon - first, 0)
            n = np.minimum(slots, count - found)
            steps_before = np.concatenate([[0.0], by_step.cumsum()])
            first = np.minimum(first, search.horizon)
            total += steps_before[first + n] - steps_before[first]
            total += (search.episodes - 1 - e) * (worth_before[rows, found + n] - worth_before[rows, found])
            found = found + n
            if (found == count).all():
                break
        return total
