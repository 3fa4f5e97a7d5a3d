"""Invaders: a block of aliens moves sideways and down and drops bombs; a cannon below shoots at them."""

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
RANKS, FILES = 4, 6  # rows and columns of aliens; even ranks are squids, odd ones crabs
LEFT, _, RIGHT, FIRE = range(4)
NONE = -1  # the row of a shot that does not exist
LANDED = GROUND - RANKS + 1  # the block's top row when its lowest rank is on the ground
KINDS = tuple(  # bit masks of squids and of crabs
    sum(1 << rank * FILES + file for rank in range(first, RANKS, 2) for file in range(FILES)) for first in (0, 1)
)
FILE = sum(1 << rank * FILES for rank in range(RANKS))  # bit mask of the first file
# A multiplication by GATHER moves bit 6 r of a file, r = 0 to 3, to bit GATHERED + r = 18 + r, and no other bit there.
GATHER, GATHERED = sum(1 << (RANKS - 1) * FILES - rank * (FILES - 1) for rank in range(RANKS)), (RANKS - 1) * FILES
BLOCK = ("aliens", "top", "left", "right", "phase")


class Invaders(ArcadeGame):
    """A cannon against a block of aliens.

    Actions: left, stay, right, fire. The episode terminates when a bomb hits the cannon or the block reaches the
    ground.

    The block moves by columns; at an edge it moves down a row and reverses. There is at most one shot at a time. It
    rises a row per step and removes an alien in its cell, before or after the block moves. A new block appears when all
    aliens are gone. In each step, with probability `bombs`, a random file drops a bomb below its lowest alien.
    """

    name = "Invaders"
    rules = 3
    actions = ("left", "stay", "right", "fire")
    planes = (
        Plane("cannon", (60, 140, 160), "A", "bar"),
        Plane("squid", (120, 60, 120), "s"),
        Plane("crab", (60, 120, 60), "c"),
        Plane("block", (40, 40, 40), ".", "mark"),  # its upper left corner: dim if it moves left, bright if right
        Plane("shot", (90, 90, 90), "|", "dot"),
        Plane("bomb", (95, 95, 0), "*", "foot"),
    )
    own_parameters = (
        Parameter("march", unit="cells/8 per step", low=0, high=8, neutral=2, integer=True, doc="speed of the block"),
        Parameter("fall", unit="cells/8 per step", low=1, high=8, neutral=8, integer=True, doc="speed of the bombs"),
        Parameter("bombs", unit="per step", low=0, high=1, neutral=0.1, doc="probability of a new bomb"),
        Parameter("value", (2,), low=-1, high=1, neutral=1, doc="reward of a squid and of a crab"),
    )
    may_terminate = True

    def start(self, task: Task, random: CounterRNG) -> State:
        block = self._block(random)
        none = torch.zeros_like(block["top"])
        bombs = none[:, None].repeat(1, SIZE)  # a bit mask for each column; bit r is set if there is a bomb in row r
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
            any_hit = hit != 0
            shot_row, shot_column = shot_row.masked_fill(any_hit, NONE), shot_column.masked_fill(any_hit, 0)
            hits = hit if hits is None else hits | hit
        squid, crab = ((hits & kind) != 0 for kind in KINDS)
        reward = torch.addcmul(squid * task["value"][:, 0], crab, task["value"][:, 1])
        cleared = block["aliens"] == 0
        if returns.may_hold(cleared):
            new = self._block(random)
            block = {name: torch.where(cleared, new[name], value) for name, value in block.items()}

        bombs, bomb_phase = self._bombs(state, block, task, random)
        bombed = bombs.gather(1, cannon[:, None]).squeeze(1) >= 1 << GROUND
        after = {"cannon": cannon, **block, "shot_row": shot_row, "shot_column": shot_column}
        terminated = bombed | (block["top"] == LANDED)
        return Move({**after, "bombs": bombs, "bomb_phase": bomb_phase}, {"aliens": reward.float()}, terminated)

    def _block(self, random: CounterRNG) -> State:
        """Draw a new block at the top."""
        drawn = random.integers("block", 2 * (SIZE - FILES + 1))
        left = drawn >> 1
        return {
            "aliens": torch.full_like(left, (1 << RANKS * FILES) - 1),  # a bit for each alien, from the upper left
            "top": torch.zeros_like(left),
            "left": left,
            "right": 2 * (drawn & 1) - 1,  # direction: +1 right, -1 left
            "phase": torch.zeros_like(left),
        }

    def _march(self, block: State, speed: Tensor) -> State:
        """Return the block after a step."""
        phase, ticks = advance(block["phase"], speed)
        target = torch.addcmul(block["left"], block["right"], ticks)
        left = target.clamp(0, SIZE - FILES)
        turn = left != target
        top = (block["top"] + turn).clamp_(max=LANDED)
        right = torch.where(turn, -block["right"], block["right"])
        return {"aliens": block["aliens"], "top": top, "left": left, "right": right, "phase": phase}

    def _bombs(self, state: State, block: State, task: Task, random: CounterRNG) -> tuple[Tensor, Tensor]:
        """Return the bombs after a step, and their common phase, which is 0 without bombs."""
        phase, ticks = advance(state["bomb_phase"], task["fall"])
        bombs = state["bombs"].bitwise_left_shift(ticks[:, None]).bitwise_and_((1 << SIZE) - 1)
        phase = phase.masked_fill_(bombs.amax(1) == 0, 0)

        # The integer part of one random number selects the file, the fractional part decides whether it drops a bomb.
        drawn = random.uniform("bomb", dtype=torch.float64) * FILES
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
    """Lookup tables."""

    step: Tensor  # int64 [actions], displacement of the cannon
    aim: Tensor  # int64, by the offset of a cell from the block's corner: the bit of the alien there, 0 outside
    below: Tensor  # int64 [2^RANKS], by the bit mask of a file: the rank below its lowest alien, 0 for an empty file
    formation: tuple[Tensor, ...]  # int64 [RANKS * FILES] each: bit, rank, file and plane of each alien


@functools.cache
def _tables(device: torch.device) -> Tables:
    action, rank = torch.arange(4, device=device), torch.arange(RANKS, device=device)
    step = (action == RIGHT).long() - (action == LEFT).long()
    far = torch.arange(-SIZE, SIZE, device=device)
    down, right = far[:, None], far
    inside = (down >= 0) & (down < RANKS) & (right >= 0) & (right < FILES)
    aim = torch.where(inside, 1 << (down * FILES + right).clamp(min=0), 0).flatten()
    occupied = torch.arange(1 << RANKS, device=device)[:, None] >> rank & 1
    bit = torch.arange(RANKS * FILES, device=device)
    formation = bit, bit // FILES, bit % FILES, 1 + bit // FILES % 2
    return Tables(step, aim, (occupied * (rank + 1)).amax(1), formation)


def _aim(block: State, row: Tensor, column: Tensor, tables: Tables) -> Tensor:
    """Return the bit of the alien whose place is in this cell; 0 if there is none."""
    offset = torch.add(column - block["left"], row - block["top"], alpha=2 * SIZE)
    return tables.aim[offset + (2 * SIZE + 1) * SIZE]
