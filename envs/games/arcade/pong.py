"""Pong: a ball between the agent's paddle on the right and an opponent's on the left."""

from __future__ import annotations

import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.envs.games.arcade.board import SIZE, Canvas, Plane, advance, brightness
from metarl.envs.games.arcade.game import ArcadeGame, Move, State, Task
from metarl.tasks.parameter import Parameter

EDGE = SIZE - 1  # the agent's column; the opponent's is 0


class Pong(ArcadeGame):
    """Actions: up, stay, down. An episode lasts for its horizon; after each point a ball starts from the middle.

    A paddle strikes a ball within `reach` rows of it: off its upper half the ball leaves upwards, off its lower half
    downwards, off its middle as it came. The opponent follows the ball's row at its own speed. `value` is what a
    ball past the opponent and a ball past the agent earn.
    """

    name = "Pong"
    actions = ("up", "stay", "down")
    planes = (
        Plane("paddle", (40, 100, 160), "]", "post"),
        Plane("opponent", (160, 100, 40), "[", "post"),
        Plane("ball", (95, 95, 95), "o", "dot"),
        Plane("ahead", (95, 95, 95), ".", "mark"),
    )
    own_parameters = (
        Parameter("speed", unit="cells/8 a step", low=1, high=8, neutral=8, integer=True, doc="of the ball"),
        Parameter("opponent", unit="cells/8 a step", low=0, high=8, neutral=4, integer=True, doc="its speed"),
        Parameter("reach", unit="rows", low=0, high=4, neutral=1, integer=True, doc="of both paddles to either side"),
        Parameter("value", (2,), low=-1, high=1, neutral=(1, -1), doc="of a ball past the opponent, past the agent"),
    )

    def start(self, task: Task, random: CounterRNG) -> State:
        middle = torch.full_like(task["speed"], SIZE // 2)
        paddles = {"paddle": middle, "opponent": middle, "opponent_phase": torch.zeros_like(middle)}
        return {**paddles, **self._serve(random)}

    def move(self, state: State, action: Tensor, task: Task, random: CounterRNG) -> Move:
        paddle = (state["paddle"] + action - 1).clamp_(0, EDGE)
        opponent_phase, steps = advance(state["opponent_phase"], task["opponent"])
        opponent = state["opponent"] + steps * (state["row"] - state["opponent"]).sign()

        phase, ticks = advance(state["phase"], task["speed"])
        right = state["right"]
        row, column = state["row"] + state["down"] * ticks, state["column"] + right * ticks
        past = torch.where(column == EDGE, paddle, opponent)  # the paddle a ball at either edge must get past
        offset = row - past
        at_edge = (column == 0) | (column == EDGE)
        struck = at_edge & (offset.abs() <= task["reach"])
        point = at_edge & ~struck
        right = torch.where(struck, -right, right)
        column = column + right * struck  # struck before it reaches the edge
        down = torch.where(struck & (offset != 0), offset.sign(), state["down"])
        # Turned at a wall before it gets there, so that where the ball heads is always a cell.
        down = torch.where((row == 0) & (down < 0) | (row == SIZE - 1) & (down > 0), -down, down)

        won = point & (column == 0)
        serve = self._serve(random)
        ball = {"row": row, "column": column, "down": down, "right": right, "phase": phase}
        ball = {name: torch.where(point, serve[name], value) for name, value in ball.items()}
        terms = {"won": task["value"][:, 0] * won, "lost": task["value"][:, 1] * (point & ~won)}
        after = {"paddle": paddle, "opponent": opponent, "opponent_phase": opponent_phase, **ball}
        return Move(after, {name: term.float() for name, term in terms.items()})

    def _serve(self, random: CounterRNG) -> State:
        """A ball in the middle, towards either side."""
        row = 1 + random.integers("row", SIZE - 2)
        right = random.integers("right", 2)
        return {
            "row": row,
            "column": SIZE // 2 - 1 + right,
            "down": random.integers("down", 3) - 1,
            "right": 2 * right - 1,  # +1 towards the agent
            "phase": torch.zeros_like(row),
        }

    def draw(self, state: State, canvas: Canvas) -> None:
        row, column = state["row"], state["column"]
        canvas.put(0, state["paddle"], EDGE)
        canvas.put(1, state["opponent"], 0, brightness(state["opponent_phase"]))
        canvas.put(2, row, column, brightness(state["phase"]))
        canvas.put(3, row + state["down"], column + state["right"])
