"""The chemistries of Alchemy as tables (Wang et al. 2021, "Alchemy: a benchmark and analysis toolkit").

A stone is a corner of a cube, three coordinates of -1 or +1: vertex v has +1 on axis a if bit a of v is set. A potion
moves a stone along one edge. Which edges there are, which potion moves along which axis, and how a corner looks, is the
chemistry: 109 graphs x 48 potion maps x 8 stone maps x 4 rotations = 167,424.
"""

from __future__ import annotations

from functools import cache
from itertools import permutations, product

import numpy as np

AXES, VERTICES, COLOURS = 3, 8, 6
STONE_MAPS, ROTATIONS, POTION_MAPS, GRAPHS = 8, 4, 48, 109
GRAPHS_BY_BOTTLENECKS = (1, 12, 48, 48)  # with 0, 1, 2 and 3 conditions, in this order in `edges`
CORNERS = np.array([[1 if v >> a & 1 else -1 for a in range(AXES)] for v in range(VERTICES)])  # [VERTICES, AXES]

Condition = tuple[int, int, int]  # (axis, other, value): along `axis` a stone moves only where `other` has that value


@cache
def values() -> np.ndarray:
    """int64 [VERTICES]: what the cauldron pays: the sum of the coordinates, and 12 more where all are +1."""
    sums = CORNERS.sum(1)
    return sums + 12 * (sums == AXES)


@cache
def edges() -> np.ndarray:
    """bool [GRAPHS, VERTICES, AXES]: whether a stone at this corner can move along this axis.

    A graph is a set of conditions; those count under which every corner can still be reached from every other.
    """
    slots = [(axis, other) for axis in range(AXES) for other in range(AXES) if other != axis]
    found: dict[int, list[np.ndarray]] = {count: [] for count in range(len(slots) + 1)}
    for wanted in product((0, -1, 1), repeat=len(slots)):
        conditions = [(*slot, value) for slot, value in zip(slots, wanted, strict=True) if value]
        graph = _open(conditions)
        if _connected(graph):
            found[len(conditions)].append(graph)
    return np.array([graph for count in sorted(found) for graph in found[count]])


def _open(conditions: list[Condition]) -> np.ndarray:
    graph = np.ones((VERTICES, AXES), bool)
    for axis, other, value in conditions:
        graph[:, axis] &= CORNERS[:, other] == value
    return graph


def _connected(graph: np.ndarray) -> bool:
    reached, frontier = {0}, [0]
    while frontier:
        vertex = frontier.pop()
        for axis in np.flatnonzero(graph[vertex]).tolist():
            if (after := vertex ^ 1 << axis) not in reached:
                reached.add(after)
                frontier.append(after)
    return len(reached) == VERTICES


@cache
def potions() -> tuple[np.ndarray, np.ndarray]:
    """int64 [POTION_MAPS, COLOURS] each: the axis a potion of this colour moves along, and which way, -1 or +1.

    Colours 2 i and 2 i + 1 are opposites.
    """
    maps = list(product(permutations(range(AXES)), product((1, -1), repeat=AXES)))
    axis = [[axes[colour // 2] for colour in range(COLOURS)] for axes, _ in maps]
    way = [[ways[colour // 2] * (1 - 2 * (colour % 2)) for colour in range(COLOURS)] for _, ways in maps]
    return np.array(axis), np.array(way)


@cache
def moves() -> np.ndarray:
    """int64 [GRAPHS, POTION_MAPS, VERTICES, COLOURS]: the corner a potion takes a stone to; the same where it does
    nothing: because the stone is at that end already, or because there is no edge."""
    axis, way = (table[None, :, None, :] for table in potions())
    vertex = np.arange(VERTICES)[None, None, :, None]
    off = CORNERS[vertex, axis] != way
    passable = edges()[np.arange(GRAPHS)[:, None, None, None], vertex, axis]
    return np.where(off & passable, vertex ^ 1 << axis, vertex)


@cache
def looks() -> np.ndarray:
    """int64 [STONE_MAPS, ROTATIONS, VERTICES, AXES] of -1, 0, 1: colour, size and roundness of a stone.

    A stone map mirrors the cube. A rotation leaves it (0) or turns it by 45 degrees about axis r - 1 and shrinks it, so
    that corners of a face come to lie at (-1, 0), (0, -1), (0, 1) and (1, 0).
    """
    out = np.empty((STONE_MAPS, ROTATIONS, VERTICES, AXES), np.int64)
    for stone_map, rotation in product(range(STONE_MAPS), range(ROTATIONS)):
        seen = CORNERS * CORNERS[stone_map]
        if rotation:
            a, b = (axis for axis in range(AXES) if axis != rotation - 1)
            turned = seen.copy()
            turned[:, a] = (seen[:, a] - seen[:, b]) // 2
            turned[:, b] = (seen[:, a] + seen[:, b]) // 2
            seen = turned
        out[stone_map, rotation] = seen
    return out
