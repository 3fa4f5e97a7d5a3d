"""The board all arcade games share: 10x10 cells, one plane for each kind of object.

Things move by whole cells, at a rate in eighths of a cell a step. A plane holds 0 where nothing is; what moves so is
drawn at half brightness, and the brighter the further it is on its way to the next cell, so that nothing is hidden that
matters.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

SIZE = 10  # cells along a side
EIGHTHS = 8  # parts of a cell in which speeds are counted


@dataclass(frozen=True)
class Plane:
    """One kind of object."""

    name: str
    colour: tuple[int, int, int]  # red, green, blue; lights that may meet in a pixel add up to 255 at most
    letter: str  # of the object in text
    sprite: str = "block"  # one of SPRITES in metarl.envs.games.arcade.screen


def advance(phase: Tensor, speed: Tensor) -> tuple[Tensor, Tensor]:
    """What `speed` eighths of a cell add up to: the phase after, in 0 to 7, and how many cells to move now."""
    way = phase + speed
    return way & (EIGHTHS - 1), way >> 3  # remainder and quotient of whole numbers, also below 0, in less time


def brightness(phase: Tensor) -> Tensor:
    """float32: 1/2 for something that just moved, up to 15/16 for what is about to."""
    return phase * (0.5 / EIGHTHS) + 0.5


class Canvas(ABC):
    """What B boards are drawn on, black at first. Rows count downwards."""

    @abstractmethod
    def put(self, plane: int | Tensor, row: int | Tensor, column: int | Tensor, value: Tensor | float = 1.0) -> None:
        """Draw one object [B] or several [B, k] in these cells, each at its brightness (0: not there)."""

    def stamp(self, planes: Tensor, rows: Tensor, columns: Tensor, row: Tensor, column: Tensor, value: Tensor) -> None:
        """Draw k objects, each of its plane [k], in cells rows and columns [k] away from one cell [B]; value [B, k]."""
        self.put(planes, row[:, None] + rows, column[:, None] + columns, value)

    @abstractmethod
    def lay(self, plane: int, first: int, values: Tensor) -> None:
        """Draw whole rows of a plane from row `first` on: values [B, rows, SIZE]."""

    def fill(self, plane: int, columns: Tensor, value: Tensor) -> None:
        """Draw a plane of at most one object a cell: bit r of columns int64 [B, SIZE] says whether one is in row r.

        value [B]: their brightness.
        """
        there = bits(columns.device).index_select(0, columns.view(-1)).view(-1, SIZE, SIZE)
        self.lay(plane, 0, there.mT * value[:, None, None])


class Planes(Canvas):
    """`board`: float32 [B, SIZE, SIZE, C]. looks: whether it may ask for values, which is free on CPU."""

    def __init__(self, num_envs: int, planes: int, device: torch.device, looks: bool = False) -> None:
        self._looks = looks
        self.board = torch.zeros(num_envs, SIZE, SIZE, planes, device=device)
        self._flat = self.board.view(-1)
        self._first = torch.arange(0, num_envs * SIZE * SIZE * planes, SIZE * SIZE * planes, device=device)
        self._strides = 1, SIZE * planes, planes  # of plane, row, column

    def put(self, plane: int | Tensor, row: int | Tensor, column: int | Tensor, value: Tensor | float = 1.0) -> None:
        start, offset = 0, None
        for number, stride in zip((plane, row, column), self._strides, strict=True):
            if not isinstance(number, Tensor):
                start += number * stride
            else:
                offset = number * stride if offset is None else torch.add(offset, number, alpha=stride)
        cells = self._first if offset is None else add_to_rows(self._first, offset)
        flat = self._flat[start:]  # a number for all is where the board begins: nothing to add
        if isinstance(value, Tensor):
            flat.scatter_(0, cells.view(-1), value.expand_as(cells).reshape(-1))
        else:
            flat.index_fill_(0, cells.view(-1), value)

    def stamp(self, planes: Tensor, rows: Tensor, columns: Tensor, row: Tensor, column: Tensor, value: Tensor) -> None:
        _, by_row, by_column = self._strides
        place = torch.add(torch.add(self._first, row, alpha=by_row), column, alpha=by_column)
        offset = torch.add(torch.add(planes, rows, alpha=by_row), columns, alpha=by_column)
        self._flat.scatter_(0, (place[:, None] + offset).view(-1), value.view(-1))

    def lay(self, plane: int, first: int, values: Tensor) -> None:
        self.board[:, first : first + values.shape[1], :, plane] = values

    def fill(self, plane: int, columns: Tensor, value: Tensor) -> None:
        if not self._looks:
            super().fill(plane, columns, value)
            return
        filled = columns.view(-1).nonzero().squeeze(1)  # few, as a rule
        if not len(filled):
            return
        env, column = filled // SIZE, filled % SIZE
        values = bits(columns.device)[columns.view(-1)[filled]] * value[env][:, None]
        _, by_row, by_column = self._strides
        top = torch.add(self._first[env], column, alpha=by_column)
        cells = top[:, None] + torch.arange(0, SIZE * by_row, by_row, device=top.device)
        self._flat[plane:].scatter_(0, cells.view(-1), values.view(-1))


def add_to_rows(first: Tensor, offset: int | Tensor) -> Tensor:
    """first [B] plus an offset for all, one each [B], or several each [B, k]."""
    return first + offset if not isinstance(offset, Tensor) or offset.dim() == 1 else first[:, None] + offset


@functools.cache
def bits(device: torch.device) -> Tensor:
    """float32 [2^SIZE, SIZE]: the bits of each number, the lowest first."""
    return (torch.arange(1 << SIZE, device=device)[:, None] >> torch.arange(SIZE, device=device) & 1).float()
