"""The board of arcade games: 10 x 10 cells, with one plane for each kind of object.

Objects move by whole cells, at speeds in eighths of a cell per step. A plane is 0 in empty cells. The brightness of a
moving object, at least one half, shows its progress to the next cell, so that the state is fully observable.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

SIZE = 10  # cells along a side
EIGHTHS = 8  # units of speed per cell


@dataclass(frozen=True)
class Plane:
    """A kind of object."""

    name: str
    colour: tuple[int, int, int]  # red, green, blue; colours that may overlap in a pixel sum to at most 255
    letter: str  # the object in text
    sprite: str = "block"  # one of SPRITES in metarl.envs.games.arcade.screen


def advance(phase: Tensor, speed: Tensor) -> tuple[Tensor, Tensor]:
    """Advance by `speed` eighths of a cell: return the new phase, in 0 to 7, and the number of cells to move."""
    total = phase + speed
    return total & (EIGHTHS - 1), total >> 3  # faster than remainder and floor division, and valid below 0


def brightness(phase: Tensor) -> Tensor:
    """Return the brightness of a moving object, float32: from 1/2 after a move to 15/16 before the next one."""
    return phase * (0.5 / EIGHTHS) + 0.5


class Canvas(ABC):
    """B boards to draw on, initially black. Rows count downwards."""

    @abstractmethod
    def put(self, plane: int | Tensor, row: int | Tensor, column: int | Tensor, value: Tensor | float = 1.0) -> None:
        """Draw one object [B] or several [B, k] in the given cells; value: their brightness, 0 for absent ones."""

    def stamp(self, planes: Tensor, rows: Tensor, columns: Tensor, row: Tensor, column: Tensor, value: Tensor) -> None:
        """Draw k objects at fixed offsets from a cell of each board.

        planes, rows, columns: [k], the objects' planes and offsets; row, column: [B]; value: [B, k].
        """
        self.put(planes, row[:, None] + rows, column[:, None] + columns, value)

    @abstractmethod
    def lay(self, plane: int, first: int, values: Tensor) -> None:
        """Draw whole rows of a plane from row `first` on; values: [B, rows, SIZE]."""

    def fill(self, plane: int, columns: Tensor, value: Tensor) -> None:
        """Draw a plane from bit masks.

        columns: int64 [B, SIZE], whose bit r is set if there is an object in row r; value: [B], their brightness.
        """
        occupied = bits(columns.device).index_select(0, columns.view(-1)).view(-1, SIZE, SIZE)
        self.lay(plane, 0, occupied.mT * value[:, None, None])


class Planes(Canvas):
    """Boards as planes: `board`, float32 [B, SIZE, SIZE, C].

    eager: whether control flow may depend on tensor values, which is free on CPU and impossible in a captured graph.
    """

    def __init__(self, num_envs: int, planes: int, device: torch.device, eager: bool = False) -> None:
        self._eager = eager
        self.board = torch.zeros(num_envs, SIZE, SIZE, planes, device=device)
        self._flat = self.board.view(-1)
        self._first = torch.arange(0, num_envs * SIZE * SIZE * planes, SIZE * SIZE * planes, device=device)
        self._strides = 1, SIZE * planes, planes  # of plane, row and column

    def put(self, plane: int | Tensor, row: int | Tensor, column: int | Tensor, value: Tensor | float = 1.0) -> None:
        start, offset = 0, None
        for number, stride in zip((plane, row, column), self._strides, strict=True):
            if not isinstance(number, Tensor):
                start += number * stride
            else:
                offset = number * stride if offset is None else torch.add(offset, number, alpha=stride)
        cells = self._first if offset is None else add_to_rows(self._first, offset)
        flat = self._flat[start:]  # constant offsets are applied by slicing, which costs nothing
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
        if not self._eager:
            super().fill(plane, columns, value)
            return
        occupied = columns.view(-1).nonzero().squeeze(1)  # usually few
        if not len(occupied):
            return
        env, column = occupied // SIZE, occupied % SIZE
        values = bits(columns.device)[columns.view(-1)[occupied]] * value[env][:, None]
        _, by_row, by_column = self._strides
        top = torch.add(self._first[env], column, alpha=by_column)
        cells = top[:, None] + torch.arange(0, SIZE * by_row, by_row, device=top.device)
        self._flat[plane:].scatter_(0, cells.view(-1), values.view(-1))


def add_to_rows(first: Tensor, offset: int | Tensor) -> Tensor:
    """Add to `first` [B] a common offset, one offset per row [B], or k offsets per row [B, k]."""
    return first + offset if not isinstance(offset, Tensor) or offset.dim() == 1 else first[:, None] + offset


@functools.cache
def bits(device: torch.device) -> Tensor:
    """Return the bits of each number below 2^SIZE, lowest first, float32 [2^SIZE, SIZE]."""
    return (torch.arange(1 << SIZE, device=device)[:, None] >> torch.arange(SIZE, device=device) & 1).float()
