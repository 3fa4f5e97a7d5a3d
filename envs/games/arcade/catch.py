"""Catch: fruits of two kinds fall one at a time, and a paddle on the bottom row catches them."""

from __future__ import annotations

import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.envs.games.arcade.board import EIGHTHS, SIZE, Canvas, Plane, brightness
from metarl.envs.games.arcade.game import ArcadeGame, Move, State, Task
from metarl.tasks.parameter import Parameter

FLOOR = SIZE - 1  # the paddle's row


class Catch(ArcadeGame):
    """A paddle that catches falling fruits.

    Actions: left, stay, right. Episodes end only by the horizon; the next fruit falls after each landing.

    After t steps, a fruit has fallen s t + g t (t - 1) / 2 eighths of a cell. It moves `wind` columns sideways per row,
    around the edges. A fruit that lands within `reach` columns of the paddle yields its value; others yield 0.
    """

    name = "Catch"
    actions = ("left", "stay", "right")
    planes = (
        Plane("paddle", (80, 160, 255), "=", "bar"),
        Plane("apple", (255, 60, 60), "a", "dot"),
        Plane("pear", (60, 220, 60), "p", "dot"),
    )
    own_parameters = (
        Parameter(
            "speed", unit="cells/8 per step", low=1, high=16, neutral=8, integer=True, doc="initial speed s of a fall"
        ),
        Parameter("gravity", unit="cells/8 per step^2", low=0, high=8, integer=True, doc="acceleration g of a fall"),
        Parameter("wind", unit="columns per row", low=-2, high=2, integer=True, doc="drift of a fall, to the right"),
        Parameter("reach", unit="columns", low=0, high=4, neutral=1, integer=True, doc="paddle's reach to either side"),
        Parameter("value", (2,), low=-1, high=1, neutral=1, doc="reward of an apple and of a pear"),
    )

    def start(self, task: Task, random: CounterRNG) -> State:
        paddle = torch.full_like(task["speed"], SIZE // 2)
        return {"paddle": paddle, **self._drop(task, random)}

    def move(self, state: State, action: Tensor, task: Task, random: CounterRNG) -> Move:
        paddle = (state["paddle"] + action - 1).clamp_(0, FLOOR)
        fallen = state["fallen"] + state["pace"]
        landed = fallen >= FLOOR * EIGHTHS
        rows = (fallen // EIGHTHS).clamp_(max=FLOOR) - state["fallen"] // EIGHTHS
        column = (state["column"] + task["wind"] * rows) % SIZE
        caught = landed & ((column - paddle).abs() <= task["reach"])
        value = task["value"].gather(1, state["kind"][:, None]).squeeze(1)
        falling = {"column": column, "fallen": fallen, "pace": state["pace"] + task["gravity"], "kind": state["kind"]}
        drop = self._drop(task, random)
        after = {name: torch.where(landed, drop[name], falling[name]) for name in falling}
        return Move({"paddle": paddle, **after}, {"caught": (value * caught).float()})

    def _drop(self, task: Task, random: CounterRNG) -> State:
        """Draw the next fruit, on the top row."""
        column = random.integers("column", SIZE)
        return {
            "column": column,
            "fallen": torch.zeros_like(column),  # eighths of a cell
            "pace": task["speed"],  # eighths of a cell per step
            "kind": random.integers("kind", 2),  # 0 apple, 1 pear
        }

    def draw(self, state: State, canvas: Canvas) -> None:
        canvas.put(0, FLOOR, state["paddle"])
        row, phase = state["fallen"] // EIGHTHS, state["fallen"] % EIGHTHS
        canvas.put(1 + state["kind"], row, state["column"], brightness(phase))
