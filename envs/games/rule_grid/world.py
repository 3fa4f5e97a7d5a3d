"""RuleGrid: a room of objects that change by hidden rules, with a hidden goal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Appearance, Outcome
from metarl.envs.games.game import Batch, Game, GameSimulation, Settings
from metarl.envs.games.rule_grid import rulesets
from metarl.envs.games.rule_grid.rulesets import (  # fmt: skip
    COLOURS,
    CORNER,
    DROP,
    GOAL,
    HOLD,
    ITEMS,
    LAID,
    LENGTH,
    MEET,
    NEAR,
    RULES,
    SHAPES,
    STAND,
    STEP,
    TAKE,
    THINGS,
)
from metarl.errors import MetarlError, unknown
from metarl.tasks.parameter import Parameter

VIEWS = ("full", "near")
SIGHT = 2  # range of the near view in each direction, cells
TIME = 0.01  # cost of a step
KINDS = 1 + THINGS  # possible contents of a cell, including nothing
WALL = -1  # content of the cells behind a wall
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))
PICK, PUT = 4, 5
PAINTS = np.array([(220, 60, 60), (60, 190, 60), (80, 110, 240), (225, 205, 60)], np.uint8)


class _Rule(NamedTuple):
    """One rule of every environment, int64 [B] each."""

    kind: Tensor
    a: Tensor
    b: Tensor
    c: Tensor


class RuleGrid(Game):
    r"""A square room of coloured objects (the idea is that of XLand-MiniGrid, Nikulin et al. 2023; the rules differ).

    Settings: `size` (7), cells along a side; `view`, "full" (the room) or "near" (5x5 cells around the agent).

    Action, `Discrete(6)`: up, right, down, left; pick up the object in the agent's cell, if the pocket is empty; put
    down the object in the pocket, if the cell is empty.

    Rules (type, a, b, c), applied in order after each action: 1 near: a put down beside b, or b beside a: both vanish
    and c appears in the agent's cell. 2 hold: a picked up becomes c. 3 drop: a put down becomes c. 4 step: a stepped
    upon becomes c.

    Goals (type, a, b): 1 meet: a put down beside b, or b beside a; 2 take: a picked up; 3 stand: the agent stands on a;
    4 corner: a put down in a corner. Goals refer to objects after the rules are applied.

    Observation, planes [side, side, 17]: the agent (near view: cells outside of the room); 4 shapes and 4 colours of
    the object in the cell; 4 and 4 of the object in the pocket, the same in every cell.

    Reward: +1 at the goal (term `goal`), which terminates the episode; -0.01 per step (term `time`).

    Start: agent and objects in random cells. By the rules of the game, the objects depend on the task.

    Parameters: `ruleset`, see `metarl.envs.games.rule_grid.rulesets`.
    """

    name = "RuleGrid"
    defaults = {"size": 7, "view": "full"}

    def task_parameters(self, settings: Settings) -> tuple[Parameter, ...]:
        if settings["view"] not in VIEWS:
            raise unknown("view of RuleGrid", settings["view"], VIEWS)
        if settings["size"] < 4:
            raise MetarlError(f"RuleGrid: size must be at least 4, got {settings['size']}")
        neutral = [0] * GOAL + [STAND, 1, 0] + list(range(1, ITEMS + 1))
        doc = f"{RULES} rules (type, a, b, c), goal (type, a, b), {ITEMS} objects in the room"
        return (Parameter("ruleset", (LENGTH,), low=0, high=THINGS, neutral=neutral, integer=True, doc=doc),)

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], batch: Batch) -> RuleGridSimulation:
        return RuleGridSimulation(parameters, batch, settings["size"], settings["view"] == "near")


class RuleGridSimulation(GameSimulation):
    """B rooms."""

    may_terminate = True
    appearance = Appearance(shows_task=True, seldom_changes=True)  # a task has six of the sixteen objects

    def __init__(self, parameters: tuple[Parameter, ...], batch: Batch, size: int, near: bool) -> None:
        super().__init__(parameters, batch)
        self.size, self.near = size, near
        side = 2 * SIGHT + 1 if near else size
        self._planes = _plane_table().to(batch.device)
        self.observation_space = gym.spaces.Box(0.0, 1.0, (side, side, self._planes.shape[1]), np.float32)
        self.action_space = gym.spaces.Discrete(len(MOVES) + 2)
        self._next, self._blocked = (table.to(batch.device) for table in _move_tables(size))
        self._sight, self._outside = (table.to(batch.device) for table in _sight_tables(size))
        self._corners = torch.zeros(size * size, dtype=torch.bool, device=batch.device)
        self._corners[[0, size - 1, size * (size - 1), size * size - 1]] = True
        self.cell = torch.zeros(batch.num_envs, dtype=torch.int64, device=batch.device)
        self.pocket = torch.zeros_like(self.cell)
        self.room = torch.zeros(batch.num_envs, size * size, dtype=torch.int64, device=batch.device)
        self._agent_mark = torch.full((batch.num_envs, 1), KINDS, device=batch.device)  # sets the first plane

    def assign(self, task: Mapping[str, Tensor], mask: Tensor) -> None:
        super().assign(task, mask)
        columns = self.task["ruleset"][:, :LAID].t().contiguous()
        self._rules = [_Rule(*columns[4 * rule : 4 * rule + 4]) for rule in range(RULES)]
        self._goal = columns[GOAL:LAID].unbind()

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        cells = random.uniform("cells", (self.size * self.size,)).topk(1 + ITEMS, largest=False).indices
        room = torch.zeros_like(self.room).scatter(1, cells[:, 1:], self.task["ruleset"][:, LAID:])
        self.cell = torch.where(mask, cells[:, 0], self.cell)
        self.pocket = self.pocket.masked_fill(mask, 0)
        self.room = torch.where(mask[:, None], room, self.room)

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        next_cells = self._next.index_select(0, self.cell)
        cell_column = next_cells.gather(1, action.clamp(max=len(MOVES))[:, None])
        cell = cell_column.squeeze(1)
        neighbours = self._next.index_select(0, cell)[:, : len(MOVES)]
        blocked = self._blocked.index_select(0, cell)
        here_before = here = self.room.gather(1, cell_column).squeeze(1)  # the object in the agent's cell
        around_before = around = self.room.gather(1, neighbours).masked_fill_(blocked, WALL)
        stepped = cell != self.cell
        picked = (action == PICK) & (self.pocket == 0) & (here > 0)
        put = (action == PUT) & (self.pocket > 0) & (here == 0)
        pocket = torch.where(picked, here, self.pocket.masked_fill(put, 0))
        here = torch.where(put, self.pocket, here.masked_fill(picked, 0))
        for kind, a, b, c in self._rules:
            pocket = torch.where((kind == HOLD) & picked & (pocket == a), c, pocket)
            changed = ((kind == DROP) & put | (kind == STEP) & stepped) & (here == a)
            adjacent, side = _adjacent(around, here, a, b)
            merged = adjacent & put & (kind == NEAR)
            around = around.scatter(1, side, around.gather(1, side).masked_fill_(merged[:, None], 0))
            here = torch.where(changed | merged, c, here)
        reached = self._reached(around, cell, here, pocket, picked, put, stepped) & active

        self.cell = torch.where(active, cell, self.cell)
        self.pocket = torch.where(active, pocket, self.pocket)
        around = torch.where(active[:, None], around, around_before)
        here = torch.where(active, here, here_before)
        # The agent's cell is written last, because it also stands for neighbours behind a wall.
        self.room = self.room.scatter(1, neighbours, around).scatter_(1, cell_column, here[:, None])
        self.reward_terms = {"goal": reached.float(), "time": -TIME * active.float()}
        return Outcome(self.reward_terms["goal"] + self.reward_terms["time"], reached, self.no_flags)

    def _reached(
        self, around: Tensor, cell: Tensor, here: Tensor, pocket: Tensor, picked: Tensor, put: Tensor, stepped: Tensor
    ) -> Tensor:
        """Return which environments have reached their goal, bool [B]."""
        kind, a, b = self._goal
        adjacent, _ = _adjacent(around, here, a, b)
        return (
            (kind == MEET) & put & adjacent
            | (kind == TAKE) & picked & (pocket == a)
            | (kind == STAND) & (put | stepped) & (here == a)
            | (kind == CORNER) & put & (here == a) & self._corners.index_select(0, cell)
        )

    def observe(self) -> Tensor:
        rows = self._near_view() if self.near else self.room.scatter_add(1, self.cell[:, None], self._agent_mark)
        rows = torch.add(rows, self.pocket[:, None], alpha=2 * KINDS)
        return self._planes.index_select(0, rows.flatten()).view(self.num_envs, *self.observation_space.shape)

    def _near_view(self) -> Tensor:
        """Return the contents of the cells around the agent, int64 [B, cells]; KINDS outside of the room."""
        cells, outside = self._sight.index_select(0, self.cell), self._outside.index_select(0, self.cell)
        return self.room.gather(1, cells).masked_fill_(outside, KINDS)

    def text(self, index: int) -> str:
        """Return objects by their shape's first letter; in the agent's cell, upper case, or @ without an object."""
        letters = [".", *(shape[0] for shape in SHAPES for _ in COLOURS)]
        row = [letters[thing] for thing in self.room[index].tolist()]
        agent = int(self.cell[index])
        row[agent] = row[agent].upper() if row[agent] != "." else "@"
        return "\n".join("".join(row[i : i + self.size]) for i in range(0, len(row), self.size))

    def picture(self, index: int) -> np.ndarray:
        """Draw cells of 9 x 9 pixels: objects by shape and colour, the agent as a frame in the colour of its pocket."""
        out = np.full((9 * self.size, 9 * self.size, 3), 30, np.uint8)
        things = self.room[index].tolist()
        agent, pocket = int(self.cell[index]), int(self.pocket[index])
        for cell, thing in enumerate(things):
            square = out[9 * (cell // self.size) :, 9 * (cell % self.size) :][:9, :9]
            square[-1], square[:, -1] = 60, 60
            if thing:
                square[2:7, 2:7][_stamp(thing)] = PAINTS[(thing - 1) % len(COLOURS)]
            if cell == agent:
                square[0], square[7], square[:8, 0], square[:8, 7] = 255, 255, 255, 255
                if pocket:
                    square[0, :8] = PAINTS[(pocket - 1) % len(COLOURS)]
        return out


def _stamp(thing: int) -> np.ndarray:
    drawings = {
        "ball": (".###.", "#####", "#####", "#####", ".###."),
        "cube": ("#####", "#...#", "#...#", "#...#", "#####"),
        "key": (".##..", ".##..", "..#..", "..##.", "..##."),
        "star": ("..#..", "..#..", "#####", "..#..", "..#.."),
    }
    shape = SHAPES[int(rulesets.shape_of(np.asarray(thing)))]
    return np.array([[pixel == "#" for pixel in row] for row in drawings[shape]])


def _adjacent(around: Tensor, here: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return whether one of a and b is `here` [B] and the other in `around` [B, 4], and its side [B, 1]."""
    other = torch.where(here == a, b, a)
    present, side = (around == other[:, None]).max(1)
    return present & ((here == a) | (here == b)) & (here > 0) & (other > 0), side[:, None]


def _plane_table() -> Tensor:
    """Return the planes of a cell, float32 [KINDS * 2 * KINDS, planes].

    The row is given by the object in the pocket, the first plane's value and the object in the cell, in this order.
    """
    things = torch.zeros(KINDS, len(SHAPES) + len(COLOURS))
    for thing in range(THINGS):
        things[1 + thing, thing // len(COLOURS)] = 1
        things[1 + thing, len(SHAPES) + thing % len(COLOURS)] = 1
    pocket, first, here = torch.cartesian_prod(torch.arange(KINDS), torch.arange(2), torch.arange(KINDS)).unbind(1)
    return torch.cat([first[:, None].float(), things[here], things[pocket]], 1)


def _move_tables(size: int) -> tuple[Tensor, Tensor]:
    """Return the cell after each move, and whether a wall blocks it: int64 [cells, 5] and bool [cells, 4].

    The fifth move stays in the cell.
    """
    after, blocked = [], []
    for cell in range(size * size):
        row, column = divmod(cell, size)
        to = [(row + down, column + right) for down, right in MOVES]
        inside = [0 <= r < size and 0 <= c < size for r, c in to]
        after.append([r * size + c if ok else cell for (r, c), ok in zip(to, inside, strict=True)] + [cell])
        blocked.append([not ok for ok in inside])
    return torch.tensor(after), torch.tensor(blocked)


def _sight_tables(size: int) -> tuple[Tensor, Tensor]:
    """Return the cells in sight of each cell, row by row, int64 [cells, n], and which are outside of the room, bool."""
    span, cells = torch.arange(-SIGHT, SIGHT + 1), torch.arange(size * size)[:, None, None]
    row, column = torch.broadcast_tensors(cells // size + span[:, None], cells % size + span)
    outside = (row < 0) | (row >= size) | (column < 0) | (column >= size)
    return (row * size + column).masked_fill(outside, 0).flatten(1), outside.flatten(1)
