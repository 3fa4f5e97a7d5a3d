"""Pixel observations: each plane has a sprite and a colour, and the colours of overlapping objects are added.

A row of a cell is 12 bytes, or 3 words of 32 bits: an object is drawn by the addition of 12 words to a black screen.
"""

from __future__ import annotations

import torch
from torch import Tensor

from metarl.envs.games.arcade.board import EIGHTHS, SIZE, Canvas, Plane, add_to_rows

CELL = 4  # pixels along a side of a cell
LEVELS = 2 * EIGHTHS  # levels of brightness above black
WORDS = CELL * 3 // 4  # words in a row of a cell, with a byte for red, green and blue of each pixel

SPRITES = {  # the pixels of a cell that are lit
    "block": ("####", "####", "####", "####"),
    "bar": ("####", "####", "....", "...."),
    "post": (".##.", ".##.", ".##.", ".##."),
    "foot": ("....", "....", "....", "####"),
    "dot": ("....", ".##.", ".##.", "...."),
    "mark": ("#..#", "....", "....", "#..#"),
}


class Screen(Canvas):
    """Boards as pixels: `pixels()`, uint8 [B, SIZE * CELL, SIZE * CELL, 3].

    light: the result of `lights`.
    """

    def __init__(self, num_envs: int, light: Tensor) -> None:
        self._light = light
        row = SIZE * WORDS
        self._words = torch.zeros(num_envs * SIZE * CELL * row, dtype=torch.int32, device=light.device)
        self._first = torch.arange(num_envs, device=light.device) * (SIZE * CELL * row)
        self._cell = torch.arange(CELL, device=light.device)[:, None] * row + torch.arange(WORDS, device=light.device)

    def put(self, plane: int | Tensor, row: int | Tensor, column: int | Tensor, value: Tensor | float = 1.0) -> None:
        cell = add_to_rows(self._first, (row * (SIZE * CELL) + column) * WORDS)
        level = (value * LEVELS).long() if isinstance(value, Tensor) else round(value * LEVELS)
        words = self._light[plane, level].expand(*cell.shape, CELL, WORDS)
        self._words.index_add_(0, (cell[..., None, None] + self._cell).reshape(-1), words.reshape(-1))

    def lay(self, plane: int, first: int, values: Tensor) -> None:
        cell = torch.arange(values[0].numel(), device=values.device)
        self.put(plane, first + (cell // SIZE)[None], (cell % SIZE)[None], values.flatten(1))

    def pixels(self) -> Tensor:
        return self._words.view(torch.uint8).view(-1, SIZE * CELL, SIZE * CELL, 3)


def lights(planes: tuple[Plane, ...], device: torch.device) -> Tensor:
    """Return the cell of each plane's object at each level of brightness, int32 [C, LEVELS + 1, CELL, WORDS]."""
    shapes = torch.tensor([[[pixel == "#" for pixel in row] for row in SPRITES[p.sprite]] for p in planes])
    colours = torch.tensor([p.colour for p in planes])
    full = (shapes[..., None] * colours[:, None, None]).reshape(len(planes), 1, CELL, CELL * 3)
    levels = torch.arange(LEVELS + 1)[:, None, None]
    return (full * levels / LEVELS).round().to(torch.uint8).view(torch.int32).to(device)
