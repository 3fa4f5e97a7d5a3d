"""The board all arcade games share: 10x10 cells, one plane for each kind of object, and pixels made of planes.

Things move by whole cells, at a rate in eighths of a cell a step. A plane holds 0 where nothing is; an object is drawn
at half brightness, and the brighter the further it is on its way to the next cell, so that nothing that matters is
hidden. Pixels are the planes seen as coloured light: each plane has a sprite, and where objects meet, lights add up.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SIZE = 10  # cells along a side
EIGHTHS = 8  # parts of a cell in which speeds are counted
CELL = 4  # pixels along a side of a cell

SPRITES = {  # which of a cell's pixels shine; three colours of one sprite can be told apart where they meet, four cannot
    "block": ("####", "####", "####", "####"),
    "bar": ("####", "####", "....", "...."),
    "dot": ("....", ".##.", ".##.", "...."),
    "mark": ("#..#", "....", "....", "#..#"),
}


@dataclass(frozen=True)
class Plane:
    """One kind of object."""

    name: str
    colour: tuple[int, int, int]  # red, green, blue; lights that may meet in a pixel add up to 255 at most
    letter: str  # of the object in text
    sprite: str = "block"


def sprites(planes: tuple[Plane, ...], device: torch.device) -> Tensor:
    """float32 [C, CELL * CELL * 3]: the light of each plane's object in its cell."""
    shapes = torch.tensor([[[pixel == "#" for pixel in row] for row in SPRITES[p.sprite]] for p in planes])
    colours = torch.tensor([p.colour for p in planes])
    return (shapes[..., None] * colours[:, None, None]).reshape(len(planes), -1).float().to(device)


def pixels(board: Tensor, light: Tensor) -> Tensor:
    """uint8 [B, SIZE * CELL, SIZE * CELL, 3] of the planes [B, SIZE, SIZE, C]; light: from `sprites`."""
    cells = (board @ light).round_().to(torch.uint8).reshape(-1, SIZE, SIZE, CELL, CELL, 3)
    return cells.transpose(2, 3).reshape(-1, SIZE * CELL, SIZE * CELL, 3)


def advance(phase: Tensor, speed: Tensor) -> tuple[Tensor, Tensor]:
    """What `speed` eighths of a cell add up to: the phase after, in 0 to 7, and how many cells to move now."""
    way = phase + speed
    return way % EIGHTHS, way // EIGHTHS


def brightness(phase: Tensor) -> Tensor:
    """float32: 1/2 for something that just moved, up to 15/16 for what is about to."""
    return (phase + EIGHTHS).float() / (2 * EIGHTHS)


class Canvas:
    """Planes being drawn: float32 [B, SIZE, SIZE, C], black at first. Rows count downwards."""

    def __init__(self, num_envs: int, planes: int, device: torch.device) -> None:
        self.board = torch.zeros(num_envs, SIZE, SIZE, planes, device=device)
        self._flat = self.board.view(-1)
        self._first = torch.arange(num_envs, device=device) * (SIZE * SIZE * planes)

    def put(self, plane: int | Tensor, row: int | Tensor, column: int | Tensor, value: Tensor | float = 1.0) -> None:
        """Draw one object [B] or several [B, k] at these cells, each with its brightness."""
        cell = (row * SIZE + column) * self.board.shape[-1] + plane
        first = self._first if not isinstance(cell, Tensor) or cell.dim() == 1 else self._first[:, None]
        index = (first + cell).reshape(-1)
        if isinstance(value, Tensor):
            self._flat.index_copy_(0, index, value.expand_as(first + cell).reshape(-1))
        else:
            self._flat.index_fill_(0, index, value)
