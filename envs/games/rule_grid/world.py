"""RuleGrid: a room of things that turn into others by rules one must find out, to reach a goal one must find out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import Appearance, Outcome
from metarl.envs.games.game import Game, GameSimulation, Lanes, Settings
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
SIGHT = 2  # cells in each direction, of the near view
TIME = 0.01  # what a step costs
KINDS = 1 + THINGS  # of what may lie in a cell, nothing included
WALL = -1  # what lies beyond a wall
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))
PICK, PUT = 4, 5
PAINTS = np.array([(220, 60, 60), (60, 190, 60), (80, 110, 240), (225, 205, 60)], np.uint8)


class _Rule(NamedTuple):
    """A rule of every environment; int64 [B] each."""

    kind: Tensor
    a: Tensor
    b: Tensor
    c: Tensor


class RuleGrid(Game):
    r"""A square room of coloured things (after the idea of XLand-MiniGrid, Nikulin et al. 2023; rules of our own).

    Settings: `size` (7) cells along a side; `view`, "full" (the room) or "near" (5x5 about the agent).

    Action, `Discrete(6)`: up, right, down, left; pick up the thing one stands on, into the empty pocket; put down what
    is in the pocket, on an empty cell.

    Rules (type, a, b, c), applied in order after each action: 1 near: a put down beside b, or b beside a: both vanish,
    c lies there. 2 hold: a picked up becomes c. 3 drop: a put down becomes c. 4 step: a walked upon becomes c.

    Goals (type, a, b): 1 meet: a put down beside b, or b beside a; 2 take: a picked up; 3 stand: one stands on a;
    4 corner: a put down in a corner. What is picked up or put down counts after the rules.

    Observation, planes [side, side, 17]: the agent (near: what lies outside of the room); 4 shapes and 4 colours of
    what lies there; 4 and 4 of what is in the pocket, the same in every cell.

    Reward: +1 at the goal (term `goal`), which ends the episode; -0.01 a step (term `time`).

    Start: agent and things in random cells. What lies about is the task's, by the game's own rules.

    Parameters: `ruleset`, see `metarl.envs.games.rule_grid.rulesets`.
    """

    name = "RuleGrid"
    defaults = {"size": 7, "view": "full"}

    def understood(self, settings: Settings) -> tuple[Parameter, ...]:
        if settings["view"] not in VIEWS:
            raise unknown("view of RuleGrid", settings["view"], VIEWS)
        if settings["size"] < 4:
            raise MetarlError(f"RuleGrid: size must be at least 4, got {settings['size']}")
        neutral = [0] * GOAL + [STAND, 1, 0] + list(range(1, ITEMS + 1))
        doc = f"{RULES} rules (type, a, b, c), goal (type, a, b), {ITEMS} things that lie about"
        return (Parameter("ruleset", (LENGTH,), low=0, high=THINGS, neutral=neutral, integer=True, doc=doc),)

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], lanes: Lanes) -> RuleGridSimulation:
        return RuleGridSimulation(parameters, lanes, settings["size"], settings["view"] == "near")


class RuleGridSimulation(GameSimulation):
    """B rooms."""

    may_terminate = True
    appearance = Appearance(shows_task=True, seldom_changes=True)  # a task has six things of sixteen

    def __init__(self, parameters: tuple[Parameter, ...], lanes: Lanes, size: int, near: bool) -> None:
        super().__init__(parameters, lanes)
        self.size, self.near = size, near
        side = 2 * SIGHT + 1 if near else size
        self._seen = _seen().to(lanes.device)
        self.observation_space = gym.spaces.Box(0.0, 1.0, (side, side, self._seen.shape[1]), np.float32)
        self.action_space = gym.spaces.Discrete(len(MOVES) + 2)
        self._next, self._walled = (table.to(lanes.device) for table in _paths(size))
        self._sight, self._outside = (table.to(lanes.device) for table in _sight(size))
        self._corners = torch.zeros(size * size, dtype=torch.bool, device=lanes.device)
        self._corners[[0, size - 1, size * (size - 1), size * size - 1]] = True
        self.cell = torch.zeros(lanes.num_envs, dtype=torch.int64, device=lanes.device)
        self.pocket = torch.zeros_like(self.cell)
        self.room = torch.zeros(lanes.num_envs, size * size, dtype=torch.int64, device=lanes.device)
        self._first = torch.full((lanes.num_envs, 1), KINDS, device=lanes.device)

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
        ways = self._next.index_select(0, self.cell)
        cell = ways.gather(1, action.clamp(max=len(MOVES))[:, None])
        at = cell.squeeze(1)
        beside = self._next.index_select(0, at)[:, : len(MOVES)]
        walled = self._walled.index_select(0, at)
        lies_before = lies = self.room.gather(1, cell).squeeze(1)
        around_before = around = self.room.gather(1, beside).masked_fill_(walled, WALL)
        stepped = at != self.cell
        picked = (action == PICK) & (self.pocket == 0) & (lies > 0)
        put = (action == PUT) & (self.pocket > 0) & (lies == 0)
        pocket = torch.where(picked, lies, self.pocket.masked_fill(put, 0))
        lies = torch.where(put, self.pocket, lies.masked_fill(picked, 0))
        for kind, a, b, c in self._rules:
            pocket = torch.where((kind == HOLD) & picked & (pocket == a), c, pocket)
            turned = ((kind == DROP) & put | (kind == STEP) & stepped) & (lies == a)
            met, which = _meeting(around, lies, a, b)
            met = met & put & (kind == NEAR)
            around = around.scatter(1, which, around.gather(1, which).masked_fill_(met[:, None], 0))
            lies = torch.where(turned | met, c, lies)
        reached = self._reached(around, at, lies, pocket, picked, put, stepped) & active

        self.cell = torch.where(active, at, self.cell)
        self.pocket = torch.where(active, pocket, self.pocket)
        around = torch.where(active[:, None], around, around_before)
        lies = torch.where(active, lies, lies_before)
        # What lies here is written last: a way that a wall blocks leads here.
        self.room = self.room.scatter(1, beside, around).scatter_(1, cell, lies[:, None])
        self.reward_terms = {"goal": reached.float(), "time": -TIME * active.float()}
        return Outcome(self.reward_terms["goal"] + self.reward_terms["time"], reached, self.no_flags)

    def _reached(
        self, around: Tensor, at: Tensor, lies: Tensor, pocket: Tensor, picked: Tensor, put: Tensor, stepped: Tensor
    ) -> Tensor:
        kind, a, b = self._goal
        met, _ = _meeting(around, lies, a, b)
        return (
            (kind == MEET) & put & met
            | (kind == TAKE) & picked & (pocket == a)
            | (kind == STAND) & (put | stepped) & (lies == a)
            | (kind == CORNER) & put & (lies == a) & self._corners.index_select(0, at)
        )

    def observe(self) -> Tensor:
        rows = self._near() if self.near else self.room.scatter_add(1, self.cell[:, None], self._first)
        rows = torch.add(rows, self.pocket[:, None], alpha=2 * KINDS)
        return self._seen.index_select(0, rows.flatten()).view(self.num_envs, *self.observation_space.shape)

    def _near(self) -> Tensor:
        """int64 [B, cells seen]: what lies there, KINDS where that is outside of the room."""
        cells, outside = self._sight.index_select(0, self.cell), self._outside.index_select(0, self.cell)
        return self.room.gather(1, cells).masked_fill_(outside, KINDS)

    def text(self, index: int) -> str:
        """Things by their shape's letter, lower case but where the agent is: upper case, or @ on an empty cell."""
        letters = [".", *(shape[0] for shape in SHAPES for _ in COLOURS)]
        row = [letters[thing] for thing in self.room[index].tolist()]
        here = int(self.cell[index])
        row[here] = row[here].upper() if row[here] != "." else "@"
        return "\n".join("".join(row[i : i + self.size]) for i in range(0, len(row), self.size))

    def picture(self, index: int) -> np.ndarray:
        """Nine pixels by nine a cell: things by shape and colour, the agent a white frame, the pocket in the frame."""
        out = np.full((9 * self.size, 9 * self.size, 3), 30, np.uint8)
        things = self.room[index].tolist()
        here, pocket = int(self.cell[index]), int(self.pocket[index])
        for cell, thing in enumerate(things):
            square = out[9 * (cell // self.size) :, 9 * (cell % self.size) :][:9, :9]
            square[-1], square[:, -1] = 60, 60
            if thing:
                square[2:7, 2:7][_stamp(thing)] = PAINTS[(thing - 1) % len(COLOURS)]
            if cell == here:
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


def _meeting(around: Tensor, lies: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Whether the thing here is one of a and b and the other lies around [B, 4], and on which side [B, 1]."""
    other = torch.where(lies == a, b, a)
    found, which = (around == other[:, None]).max(1)
    return found & ((lies == a) | (lies == b)) & (lies > 0) & (other > 0), which[:, None]


def _seen() -> Tensor:
    """float32 [KINDS * 2 * KINDS, planes]: a cell as it is seen, by what is in the pocket, whether the first plane is
    set, and what lies there, in this order."""
    things = torch.zeros(KINDS, len(SHAPES) + len(COLOURS))
    for thing in range(THINGS):
        things[1 + thing, thing // len(COLOURS)] = 1
        things[1 + thing, len(SHAPES) + thing % len(COLOURS)] = 1
    pocket, first, lies = torch.cartesian_prod(torch.arange(KINDS), torch.arange(2), torch.arange(KINDS)).unbind(1)
    return torch.cat([first[:, None].float(), things[lies], things[pocket]], 1)


def _paths(size: int) -> tuple[Tensor, Tensor]:
    """int64 [cells, 5]: where each move leads, the fifth nowhere; bool [cells, 4]: whether a wall is in the way."""
    leads, walled = [], []
    for cell in range(size * size):
        row, column = divmod(cell, size)
        to = [(row + down, column + right) for down, right in MOVES]
        on = [0 <= r < size and 0 <= c < size for r, c in to]
        leads.append([r * size + c if ok else cell for (r, c), ok in zip(to, on, strict=True)] + [cell])
        walled.append([not ok for ok in on])
    return torch.tensor(leads), torch.tensor(walled)


def _sight(size: int) -> tuple[Tensor, Tensor]:
    """The cells that are seen from each, row by row, int64 [cells, seen]; and which of them are outside of the room."""
    span, cells = torch.arange(-SIGHT, SIGHT + 1), torch.arange(size * size)[:, None, None]
    row, column = torch.broadcast_tensors(cells // size + span[:, None], cells % size + span)
    outside = (row < 0) | (row >= size) | (column < 0) | (column >= size)
    return (row * size + column).masked_fill(outside, 0).flatten(1), outside.flatten(1)
