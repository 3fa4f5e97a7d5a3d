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
    """A duel of two paddles.

    Actions: up, stay, down. Episodes end only by the horizon; after each point, a ball starts in the middle.

    A paddle reflects a ball within `reach` rows: its upper half reflects upwards, its lower half downwards; the middle
    keeps the vertical direction. The opponent follows the ball's row at its own speed. The agent receives `value[0]` if
    a ball passes the opponent, and `value[1]` if it passes the agent.
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
        Parameter("speed", unit="cells/8 per step", low=1, high=8, neutral=8, integer=True, doc="speed of the ball"),
        Parameter("opponent", unit="cells/8 per step", low=0, high=8, neutral=4, integer=True, doc="opponent's speed"),
        Parameter("reach", unit="rows", low=0, high=4, neutral=1, integer=True, doc="paddles' reach to either side"),
        Parameter("value", (2,), low=-1, high=1, neutral=(1, -1), doc="reward of a ball past the opponent, the agent"),
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
        defender = torch.where(column == EDGE, paddle, opponent)  # the paddle at the ball's edge
        offset = row - defender
        at_edge = (column == 0) | (column == EDGE)
        struck = at_edge & (offset.abs() <= task["reach"])
        point = at_edge & ~struck
        right = torch.where(struck, -right, right)
        column = column + right * struck  # a struck ball does not stay in the paddle's column
        down = torch.where(struck & (offset != 0), offset.sign(), state["down"])
        # The ball turns one cell before a wall, so that the cell ahead of it is always on the board.
        down = torch.where((row == 0) & (down < 0) | (row == SIZE - 1) & (down > 0), -down, down)

        won = point & (column == 0)
        serve = self._serve(random)
        ball = {"row": row, "column": column, "down": down, "right": right, "phase": phase}
        ball = {name: torch.where(point, serve[name], value) for name, value in ball.items()}
        terms = {"won": task["value"][:, 0] * won, "lost": task["value"][:, 1] * (point & ~won)}
        after = {"paddle": paddle, "opponent": opponent, "opponent_phase": opponent_phase, **ball}
        return Move(after, {name: term.float() for name, term in terms.items()})

    def _serve(self, random: CounterRNG) -> State:
        """Draw a ball in the middle that moves to either side."""
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
