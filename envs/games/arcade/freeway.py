"""Freeway: a chicken crosses eight traffic lanes, with one car in each."""

from __future__ import annotations

import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.envs.games.arcade.board import EIGHTHS, SIZE, Canvas, Plane, advance, brightness
from metarl.envs.games.arcade.game import ArcadeGame, Move, State, Task
from metarl.tasks.parameter import Parameter

LANES = SIZE - 2  # rows 1 to 8; the chicken starts in row 9 and arrives in row 0
HOME = SIZE - 1
PATH = SIZE // 2  # the chicken's column


class Freeway(ArcadeGame):
    """A chicken that crosses a road.

    Actions: up, stay, down. Episodes end only by the horizon; a chicken that arrives or is hit restarts. Cars move at
    constant speeds, around the edges. `value` holds the rewards of an arrival and of a hit.
    """

    name = "Freeway"
    actions = ("up", "stay", "down")
    planes = (Plane("chicken", (250, 220, 60), "c", "dot"), Plane("car", (0, 30, 190), "#"))
    own_parameters = (
        Parameter(
            "speed", (LANES,), unit="cells/8 per step", low=-EIGHTHS, high=EIGHTHS, neutral=EIGHTHS, integer=True,
            doc="speed of the car in each lane, from the top, to the right",
        ),
        Parameter("value", (2,), low=-1, high=1, neutral=(1, -1), doc="reward of an arrival and of a hit"),
    )  # fmt: skip

    def start(self, task: Task, random: CounterRNG) -> State:
        cars = random.integers("cars", SIZE, (LANES,))
        return {"row": torch.full_like(cars[:, 0], HOME), "cars": cars, "phase": torch.zeros_like(cars)}

    def move(self, state: State, action: Tensor, task: Task, random: CounterRNG) -> Move:
        phase, ticks = advance(state["phase"], task["speed"].abs())
        cars = (state["cars"] + ticks * task["speed"].sign()) % SIZE
        row = (state["row"] + action - 1).clamp_(max=HOME)
        lane = (row - 1).clamp(0, LANES - 1)
        arrived = row == 0
        hit = (cars.gather(1, lane[:, None]).squeeze(1) == PATH) & (row == lane + 1)
        terms = {"arrived": task["value"][:, 0] * arrived, "hit": task["value"][:, 1] * hit}
        after = {"row": row.masked_fill(arrived | hit, HOME), "cars": cars, "phase": phase}
        return Move(after, {name: term.float() for name, term in terms.items()})

    def draw(self, state: State, canvas: Canvas) -> None:
        canvas.put(0, state["row"], PATH)
        lanes = torch.arange(1, LANES + 1, device=state["row"].device)
        canvas.put(1, lanes, state["cars"], brightness(state["phase"]))
