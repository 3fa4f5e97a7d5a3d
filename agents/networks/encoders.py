"""Encoders from observations to feature vectors: convolutions for planes and pixels, none for vectors."""

from __future__ import annotations

import math

import gymnasium as gym
import torch
from torch import Tensor, nn

from metarl.errors import MetarlError

SMALLEST_PIXELS = 32  # an image with fewer pixels on a side is a board, of which each cell matters


class ConvEncoder(nn.Module):
    """A convolutional network from planes or pixels [..., height, width, channels] to features [..., F].

    Boards go through two 3x3 layers, as in MinAtar's networks (Young & Tian 2019). Images go through the strided first
    layers of Mnih et al. (2015). uint8 inputs are scaled to [0, 1].
    """

    def __init__(self, shape: tuple[int, int, int], size: int) -> None:
        super().__init__()
        height, width, channels = shape
        if min(height, width) < SMALLEST_PIXELS:
            layers = [nn.Conv2d(channels, 16, 3, padding=1), nn.Conv2d(16, 16, 3, stride=2, padding=1)]
        else:
            layers = [nn.Conv2d(channels, 16, 8, stride=4), nn.Conv2d(16, 32, 4, stride=2)]
        for layer in layers:
            nn.init.orthogonal_(layer.weight, math.sqrt(2))
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.convolutions = nn.Sequential(*(module for layer in layers for module in (layer, nn.ReLU())))
        with torch.no_grad():
            flat = self.convolutions(torch.zeros(1, channels, height, width)).numel()
        self.out = nn.Linear(flat, size)
        nn.init.orthogonal_(self.out.weight, math.sqrt(2))
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        planes = x.reshape(-1, *x.shape[-3:])
        scaled = planes.float() / 255 if planes.dtype == torch.uint8 else planes
        features = self.out(self.convolutions(scaled.movedim(-1, -3)).flatten(1)).tanh()
        return features.reshape(*x.shape[:-3], -1)


def encoder_of(space: gym.Space, size: int) -> nn.Module | None:
    """Return the encoder for a space, None for vectors; raise MetarlError for other spaces."""
    if isinstance(space, gym.spaces.Box) and len(space.shape) == 1:
        return None
    if isinstance(space, gym.spaces.Box) and len(space.shape) == 3:
        height, width, channels = space.shape
        return ConvEncoder((height, width, channels), size)
    raise MetarlError(f"this agent takes vectors, or planes [height, width, channels], as observations, not {space}")
