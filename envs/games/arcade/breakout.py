"""Breakout: a ball, a paddle, and three rows of bricks with positive or negative values."""

from __future__ import annotations

import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.envs.games.arcade.board import SIZE, Canvas, Plane, advance, brightness
from metarl.envs.games.arcade.game import ArcadeGame, Move, State, Task
from metarl.tasks.parameter import Parameter

FLOOR = SIZE - 1  # the paddle's row
TOP, ROWS = 1, 3  # the first row of bricks, and the number of rows
LAUNCH = TOP + ROWS  # the row where a ball starts downwards


class Breakout(ArcadeGame):
    """A ball that removes bricks.

    Actions: left, stay, right. The ball moves diagonally; the episode terminates when it is lost.

    The ball bounces off walls, off the paddle, and off bricks. A brick that is hit vanishes and yields its row's value.
    The left half of the paddle reflects the ball to the left, the right half to the right; the middle keeps its
    horizontal direction. When all bricks are gone, they reappear.
    """

    name = "Breakout"
    actions = ("left", "stay", "right")
    planes = (
        Plane("paddle", (80, 120, 160), "=", "bar"),
        Plane("ball", (95, 95, 95), "o", "dot"),
        Plane("ahead", (95, 95, 95), ".", "mark"),
        Plane("upper brick", (160, 40, 40), "1"),
        Plane("middle brick", (150, 110, 0), "2"),
        Plane("lower brick", (30, 140, 30), "3"),
    )
    own_parameters = (
        Parameter("speed", unit="cells/8 per step", low=1, high=8, neutral=8, integer=True, doc="speed of the ball"),
        Parameter("reach", unit="columns", low=0, high=4, neutral=1, integer=True, doc="paddle's reach to either side"),
        Parameter("value", (ROWS,), low=-1, high=1, neutral=1, doc="reward of a brick, upper, middle and lower row"),
    )
    may_terminate = True

    def start(self, task: Task, random: CounterRNG) -> State:
        column = 1 + random.integers("column", SIZE - 2)
        down = torch.ones_like(column)
        return {
            "paddle": torch.full_like(column, SIZE // 2),
            "row": torch.full_like(column, LAUNCH),
            "column": column,
            "down": down,  # +1 or -1, the ball's direction
            "right": 2 * random.integers("right", 2) - 1,
            "phase": torch.zeros_like(column),
            "bricks": torch.ones(len(column), ROWS, SIZE, dtype=torch.bool, device=column.device),
        }

    def move(self, state: State, action: Tensor, task: Task, random: CounterRNG) -> Move:
        paddle = (state["paddle"] + action - 1).clamp_(0, FLOOR)
        phase, ticks = advance(state["phase"], task["speed"])
        down, right = state["down"], state["right"]
        row = (state["row"] + down * ticks).clamp_(max=FLOOR)  # a lost ball stops
        column = state["column"] + right * ticks

        brick = (row - TOP).clamp(0, ROWS - 1)
        place = (brick * SIZE + column)[:, None]
        bricks = state["bricks"].flatten(1)
        hit = bricks.gather(1, place).squeeze(1) & (ticks > 0) & (row == brick + TOP)
        reward = task["value"].gather(1, brick[:, None]).squeeze(1) * hit
        bricks = bricks.scatter(1, place, bricks.gather(1, place) & ~hit[:, None])
        bricks = bricks | ~bricks.any(1, keepdim=True)
        row, down = torch.where(hit, state["row"], row), torch.where(hit, -down, down)

        at_floor = row == FLOOR
        offset = column - paddle
        struck = at_floor & (offset.abs() <= task["reach"])
        row, down = row - struck.long(), torch.where(struck, -1, down)
        right = torch.where(struck & (offset != 0), offset.sign(), right)

        # The ball turns one cell before a wall, so that the cell ahead of it is always on the board.
        down = torch.where(row == 0, 1, down)
        right = torch.where(column == 0, 1, torch.where(column == SIZE - 1, -1, right))
        after = {
            "paddle": paddle, "row": row, "column": column, "down": down, "right": right, "phase": phase,
            "bricks": bricks.view_as(state["bricks"]),
        }  # fmt: skip
        return Move(after, {"bricks": reward.float()}, at_floor & ~struck)

    def draw(self, state: State, canvas: Canvas) -> None:
        row, column = state["row"], state["column"]
        canvas.put(0, FLOOR, state["paddle"])
        canvas.put(1, row, column, brightness(state["phase"]))
        canvas.put(2, (row + state["down"]).clamp(max=FLOOR), column + state["right"])
        for brick in range(ROWS):
            canvas.lay(3 + brick, TOP + brick, state["bricks"][:, brick : brick + 1].float())
