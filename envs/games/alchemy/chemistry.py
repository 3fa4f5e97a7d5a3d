"""The chemistries of Alchemy as tables (Wang et al. 2021, "Alchemy: a benchmark and analysis toolkit").

The latent state of a stone is a corner of a cube, with three coordinates of -1 or +1: vertex v has +1 on axis a if bit
a of v is set. A potion moves a stone along an edge. A chemistry consists of the set of edges (graph), the axis and
direction of each potion (potion map) and the appearance of each corner (stone map, rotation). There are 109 graphs x 48
potion maps x 8 stone maps x 4 rotations = 167,424 chemistries.
"""

from __future__ import annotations

from functools import cache
from itertools import permutations, product

import numpy as np

AXES, VERTICES, COLOURS = 3, 8, 6
STONE_MAPS, ROTATIONS, POTION_MAPS, GRAPHS = 8, 4, 48, 109
GRAPHS_BY_BOTTLENECKS = (1, 12, 48, 48)  # with 0, 1, 2 and 3 conditions, in this order in `edges`
CORNERS = np.array([[1 if v >> a & 1 else -1 for a in range(AXES)] for v in range(VERTICES)])  # [VERTICES, AXES]

Condition = tuple[int, int, int]  # (axis, other, value): there are edges along `axis` only where `other` has this value


@cache
def values() -> np.ndarray:
    """Return the reward of each stone in the cauldron, int64 [VERTICES].

    It is the sum of the coordinates, plus 12 if all are +1.
    """
    sums = CORNERS.sum(1)
    return sums + 12 * (sums == AXES)


@cache
def edges() -> np.ndarray:
    """Return whether there is an edge from each corner along each axis, bool [GRAPHS, VERTICES, AXES].

    A graph is a set of conditions under which all corners remain connected.
    """
    slots = [(axis, other) for axis in range(AXES) for other in range(AXES) if other != axis]
    graphs: dict[int, list[np.ndarray]] = {count: [] for count in range(len(slots) + 1)}  # by number of conditions
    for choice in product((0, -1, 1), repeat=len(slots)):
        conditions = [(*slot, value) for slot, value in zip(slots, choice, strict=True) if value]
        graph = _graph(conditions)
        if _connected(graph):
            graphs[len(conditions)].append(graph)
    return np.array([graph for count in sorted(graphs) for graph in graphs[count]])


def _graph(conditions: list[Condition]) -> np.ndarray:
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
    """Return axis and direction (-1 or +1) of the potions of each colour, int64 [POTION_MAPS, COLOURS] each.

    Colours 2 i and 2 i + 1 have opposite directions.
    """
    maps = list(product(permutations(range(AXES)), product((1, -1), repeat=AXES)))
    axis = [[axes[colour // 2] for colour in range(COLOURS)] for axes, _ in maps]
    direction = [[signs[colour // 2] * (1 - 2 * (colour % 2)) for colour in range(COLOURS)] for _, signs in maps]
    return np.array(axis), np.array(direction)


@cache
def moves() -> np.ndarray:
    """Return the corner of a stone after a potion, int64 [GRAPHS, POTION_MAPS, VERTICES, COLOURS].

    It is the same corner if the potion has no effect: at the end of the axis, or without an edge.
    """
    axis, direction = (table[None, :, None, :] for table in potions())
    vertex = np.arange(VERTICES)[None, None, :, None]
    movable = CORNERS[vertex, axis] != direction
    passable = edges()[np.arange(GRAPHS)[:, None, None, None], vertex, axis]
    return np.where(movable & passable, vertex ^ 1 << axis, vertex)


@cache
def looks() -> np.ndarray:
    """Return colour, size and roundness (-1, 0 or 1) of each stone, int64 [STONE_MAPS, ROTATIONS, VERTICES, AXES].

    A stone map mirrors the cube. Rotation 0 is the identity; rotation r turns the cube by 45 degrees about axis r - 1
    and shrinks it, so that the corners of a face move to (-1, 0), (0, -1), (0, 1) and (1, 0).
    """
    out = np.empty((STONE_MAPS, ROTATIONS, VERTICES, AXES), np.int64)
    for stone_map, rotation in product(range(STONE_MAPS), range(ROTATIONS)):
        features = CORNERS * CORNERS[stone_map]
        if rotation:
            a, b = (axis for axis in range(AXES) if axis != rotation - 1)
            rotated = features.copy()
            rotated[:, a] = (features[:, a] - features[:, b]) // 2
            rotated[:, b] = (features[:, a] + features[:, b]) // 2
            features = rotated
        out[stone_map, rotation] = features
    return out
