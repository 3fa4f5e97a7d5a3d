"""Invaders: a block of aliens marches to and fro and down, dropping bombs; a cannon below shoots at them."""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor

from metarl.core import returns
from metarl.core.rng import CounterRNG
from metarl.envs.games.arcade.board import SIZE, Canvas, Plane, advance, brightness
from metarl.envs.games.arcade.game import ArcadeGame, Move, State, Task
from metarl.tasks.parameter import Parameter

GROUND = SIZE - 1  # the cannon's row
RANKS, FILES = 4, 6  # aliens; even ranks are squids, odd ones crabs
LEFT, _, RIGHT, FIRE = range(4)
NONE = -1  # the row of a shot that is not in the air
LANDED = GROUND - RANKS + 1  # the block's top row when its lowest rank is on the ground
KINDS = tuple(  # the bits of squids, and of crabs
    sum(1 << rank * FILES + file for rank in range(first, RANKS, 2) for file in range(FILES)) for first in (0, 1)
)
FILE = sum(1 << rank * FILES for rank in range(RANKS))  # the bits of the first file
# Times this, bit 6 r of a file's four lands at bit 18 + r, and no other lands there.
GATHER, GATHERED = sum(1 << (RANKS - 1) * FILES - rank * (FILES - 1) for rank in range(RANKS)), (RANKS - 1) * FILES
BLOCK = ("aliens", "top", "left", "right", "phase")


class Invaders(ArcadeGame):
    """Actions: left, stay, right, fire. A bomb on the cannon, or the block on the ground, ends the episode.

    The block marches a column at a time; at an edge it moves down a row and turns. One shot is in the air at a time; it
    rises a row a step and takes an alien that it meets, before the block moves or after. When all are gone a new block
    comes. In each step, with probability `bombs`, one of the block's files drops a bomb below its lowest alien.
    """

    name = "Invaders"
    rules = 3
    actions = ("left", "stay", "right", "fire")
    planes = (
        Plane("cannon", (60, 140, 160), "A", "bar"),
        Plane("squid", (120, 60, 120), "s"),
        Plane("crab", (60, 120, 60), "c"),
        Plane("block", (40, 40, 40), ".", "mark"),  # its upper left corner: dim if marching left, bright if right
        Plane("shot", (90, 90, 90), "|", "dot"),
        Plane("bomb", (95, 95, 0), "*", "foot"),
    )
    own_parameters = (
        Parameter("march", unit="cells/8 a step", low=0, high=8, neutral=2, integer=True, doc="the block's speed"),
        Parameter("fall", unit="cells/8 a step", low=1, high=8, neutral=8, integer=True, doc="the bombs' speed"),
        Parameter("bombs", unit="a step", low=0, high=1, neutral=0.1, doc="the probability of a new one"),
        Parameter("value", (2,), low=-1, high=1, neutral=1, doc="of a squid shot and of a crab shot"),
    )
    may_terminate = True

    def start(self, task: Task, random: CounterRNG) -> State:
        block = self._block(random)
        none = torch.zeros_like(block["top"])
        bombs = none[:, None].repeat(1, SIZE)  # a number for each column, whose bit r says whether one is in row r
        shot = {"shot_row": none + NONE, "shot_column": none}
        return {"cannon": none + SIZE // 2, **block, **shot, "bombs": bombs, "bomb_phase": none}

    def move(self, state: State, action: Tensor, task: Task, random: CounterRNG) -> Move:
        tables = _tables(action.device)
        cannon = (state["cannon"] + tables.step[action]).clamp_(0, SIZE - 1)
        fire = (action == FIRE) & (state["shot_row"] == NONE)
        shot_row = torch.where(fire, GROUND - 1, (state["shot_row"] - 1).clamp_(min=NONE))
        shot_column = torch.where(fire, cannon, state["shot_column"]).masked_fill_(shot_row == NONE, 0)

        block = {name: state[name] for name in BLOCK}
        hits = None
        for moved in (False, True):
            block = self._march(block, task["march"]) if moved else block
            hit = _aim(block, shot_row, shot_column, tables) & block["aliens"]
            block["aliens"] = block["aliens"] ^ hit
            met = hit != 0
            shot_row, shot_column = shot_row.masked_fill(met, NONE), shot_column.masked_fill(met, 0)
            hits = hit if hits is None else hits | hit
        squid, crab = ((hits & kind) != 0 for kind in KINDS)
        earned = torch.addcmul(squid * task["value"][:, 0], crab, task["value"][:, 1])
        gone = block["aliens"] == 0
        if returns.may_hold(gone):
            fresh = self._block(random)
            block = {name: torch.where(gone, fresh[name], value) for name, value in block.items()}

        bombs, bomb_phase = self._bombs(state, block, task, random)
        bombed = bombs.gather(1, cannon[:, None]).squeeze(1) >= 1 << GROUND
        after = {"cannon": cannon, **block, "shot_row": shot_row, "shot_column": shot_column}
        over = bombed | (block["top"] == LANDED)
        return Move({**after, "bombs": bombs, "bomb_phase": bomb_phase}, {"aliens": earned.float()}, over)

    def _block(self, random: CounterRNG) -> State:
        """A new block at the top."""
        drawn = random.integers("block", 2 * (SIZE - FILES + 1))
        left = drawn >> 1
        return {
            "aliens": torch.full_like(left, (1 << RANKS * FILES) - 1),  # a bit for each, from the upper left
            "top": torch.zeros_like(left),
            "left": left,
            "right": 2 * (drawn & 1) - 1,  # +1 marching right, -1 left
            "phase": torch.zeros_like(left),
        }

    def _march(self, block: State, speed: Tensor) -> State:
        phase, ticks = advance(block["phase"], speed)
        there = torch.addcmul(block["left"], block["right"], ticks)
        left = there.clamp(0, SIZE - FILES)
        turn = left != there
        top = (block["top"] + turn).clamp_(max=LANDED)
        right = torch.where(turn, -block["right"], block["right"])
        return {"aliens": block["aliens"], "top": top, "left": left, "right": right, "phase": phase}

    def _bombs(self, state: State, block: State, task: Task, random: CounterRNG) -> tuple[Tensor, Tensor]:
        """The bombs after this step, and their common phase: 0 where none is in the air."""
        phase, ticks = advance(state["bomb_phase"], task["fall"])
        bombs = state["bombs"].bitwise_left_shift(ticks[:, None]).bitwise_and_((1 << SIZE) - 1)
        phase = phase.masked_fill_(bombs.amax(1) == 0, 0)

        drawn = random.uniform("bomb", dtype=torch.float64) * FILES  # its whole part is the file, what is left decides
        file = drawn.long()
        below = _tables(file.device).below[((block["aliens"] >> file & FILE) * GATHER >> GATHERED) & (1 << RANKS) - 1]
        drops = (drawn - file < task["bombs"]) & (below != 0)
        row = (block["top"] + below).clamp_(max=GROUND)
        column = (block["left"] + file)[:, None]
        dropped = bombs.gather(1, column) | (drops.long() << row)[:, None]
        return bombs.scatter_(1, column, dropped), phase

    def draw(self, state: State, canvas: Canvas) -> None:
        canvas.put(0, GROUND, state["cannon"])
        bit, rank, file, plane = _tables(state["top"].device).formation
        alive = (state["aliens"][:, None] >> bit & 1) * brightness(state["phase"])[:, None]
        canvas.stamp(plane, rank, file, state["top"], state["left"], alive)
        canvas.put(3, state["top"], state["left"], 0.75 + 0.25 * state["right"])
        canvas.put(4, state["shot_row"].clamp(min=0), state["shot_column"], (state["shot_row"] != NONE).float())
        canvas.fill(5, state["bombs"], brightness(state["bomb_phase"]))


class Tables(NamedTuple):
    """What depends on a few whole numbers alone."""

    step: Tensor  # int64 [actions], columns by which the cannon moves
    aim: Tensor  # int64, the alien's bit for a shot this far below and right of the block's corner; 0 outside
    below: Tensor  # int64 [2^RANKS], the rank below the lowest alien of a file, whose bits say who is there; 0: nobody
    formation: tuple[Tensor, ...]  # int64 [RANKS * FILES], of each alien: its bit, rank, file and plane


@functools.cache
def _tables(device: torch.device) -> Tables:
    action, rank = torch.arange(4, device=device), torch.arange(RANKS, device=device)
    step = (action == RIGHT).long() - (action == LEFT).long()
    far = torch.arange(-SIZE, SIZE, device=device)
    down, right = far[:, None], far
    inside = (down >= 0) & (down < RANKS) & (right >= 0) & (right < FILES)
    aim = torch.where(inside, 1 << (down * FILES + right).clamp(min=0), 0).flatten()
    there = torch.arange(1 << RANKS, device=device)[:, None] >> rank & 1
    bit = torch.arange(RANKS * FILES, device=device)
    formation = bit, bit // FILES, bit % FILES, 1 + bit // FILES % 2
    return Tables(step, aim, (there * (rank + 1)).amax(1), formation)


def _aim(block: State, row: Tensor, column: Tensor, tables: Tables) -> Tensor:
    """The bit of the alien that would be in this cell; 0 where none would."""
    away = torch.add(column - block["left"], row - block["top"], alpha=2 * SIZE)
    return tables.aim[away + (2 * SIZE + 1) * SIZE]
