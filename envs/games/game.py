"""What all games share: settings with defaults, neutral parameters, one-line flags, and pictures made of squares."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from metarl.core.simulation import Simulation
from metarl.core.world import World
from metarl.errors import MetarlError, unknown
from metarl.tasks.parameter import Parameter

if TYPE_CHECKING:
    from metarl.tasks.world_config import WorldConfig

Settings = Mapping[str, Any]
Colour = tuple[int, int, int]  # red, green, blue


class Game(World):
    """A game as a world: no goal, no engine; `settings` of a distribution fix what all of its tasks share.

    Subclasses give `defaults` (every setting with its value when none is given, which also tells its type), the
    parameters under given settings, and a simulation.
    """

    defaults: ClassVar[Settings] = {}
    rules: ClassVar[int] = 1  # raised whenever the same actions would earn something else

    @abstractmethod
    def understood(self, settings: Settings) -> tuple[Parameter, ...]:
        """The parameters a task may set."""

    @abstractmethod
    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], lanes: Lanes) -> Simulation:
        """B games side by side."""

    def settings(self, config: WorldConfig) -> Settings:
        """The distribution's settings over the defaults; MetarlError for an unknown name or a value of another type."""
        for name, value in config.settings.items():
            if name not in self.defaults:
                raise unknown(f"setting of {self.name}", name, self.defaults)
            kind = type(self.defaults[name])
            if type(value) is not kind and not (kind is float and type(value) is int):
                raise MetarlError(f"{config.name}: the setting {name} is a {kind.__name__}, got {value!r}")
            if kind is int and value < 1:
                raise MetarlError(f"{config.name}: the setting {name} must be at least 1, got {value}")
        return {**self.defaults, **config.settings}

    def parameters(self, config: WorldConfig) -> tuple[Parameter, ...]:
        if config.goal is not None:
            raise MetarlError(f"{config.name}: the game {self.name} has its goal in its rules: leave goal out")
        return self.understood(self.settings(config))

    def build(self, config: WorldConfig, num_envs: int, device: torch.device, engine: str | None) -> Simulation:
        if engine is not None:
            raise MetarlError(f"{config.name}: a game runs on no physics engine: leave engine out")
        parameters = self.parameters(config)
        return self.simulation(self.settings(config), parameters, Lanes(num_envs, device))

    def fingerprint(self, device: str = "cpu") -> Mapping[str, str]:
        return {"rules": f"{self.name} {self.rules}"}


@dataclass(frozen=True)
class Lanes:
    """How many environments there are, and where."""

    num_envs: int
    device: torch.device


class GameSimulation(Simulation):
    """B games: keeps the task of each, with neutral values for what no task sets."""

    may_terminate = False
    render_fps = 4

    def __init__(self, parameters: tuple[Parameter, ...], lanes: Lanes) -> None:
        self.num_envs, self.device = lanes.num_envs, lanes.device
        self.task = {p.name: self._neutral(p) for p in parameters}
        self.reward_terms = {}
        self.nobody = torch.zeros(lanes.num_envs, dtype=torch.bool, device=lanes.device)
        self.no_flags = torch.zeros(lanes.num_envs, dtype=torch.int64, device=lanes.device)

    def assign(self, task: Mapping[str, Tensor], mask: Tensor) -> None:
        self.task = {**self.task, **task}

    def picture(self, index: int) -> np.ndarray:
        """uint8 [rows, columns, 3]: one square a pixel."""
        raise NotImplementedError(f"{type(self).__name__} draws no pictures")

    def render(self, index: int, width: int, height: int) -> np.ndarray:
        return enlarged(self.picture(index), width, height)

    def _neutral(self, parameter: Parameter) -> Tensor:
        value = torch.tensor(np.asarray(parameter.neutral), device=self.device)
        return value.expand(self.num_envs, *parameter.shape).clone()


def enlarged(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """uint8 [height, width, 3]: each pixel of `picture` [rows, columns, 3] as a rectangle."""
    rows = np.arange(height) * len(picture) // height
    columns = np.arange(width) * picture.shape[1] // width
    return np.ascontiguousarray(picture[rows[:, None], columns])


def bars(heights: np.ndarray, marked: int, rows: int = 32) -> np.ndarray:
    """uint8 [rows, 4 columns + 1, 3]: a bar for each height in [0, 1], the marked one in another colour."""
    tall = np.arange(rows, 0, -1)[:, None] <= np.clip(heights, 0.0, 1.0) * (rows - 1) + 1
    colours = np.full((len(heights), 3), (90, 130, 200), np.uint8)
    if 0 <= marked < len(heights):
        colours[marked] = (240, 140, 40)
    drawn = np.where(tall[..., None], colours, np.uint8(245)).astype(np.uint8)
    return ruled(drawn, (1, 4), (245, 245, 245))


def ruled(picture: np.ndarray, cell: tuple[int, int], line: Colour) -> np.ndarray:
    """uint8 [.., .., 3]: each pixel as a cell of so many rows and columns, parted by lines where they are several."""
    drawn = picture.repeat(cell[0], 0).repeat(cell[1], 1)
    for axis in (0, 1):
        if cell[axis] > 1:
            drawn = np.concatenate([drawn.take([0], axis), drawn], axis)
            drawn.swapaxes(0, axis)[:: cell[axis]] = line
    return drawn
