"""The base classes of games: settings with defaults, parameters with neutral values, and pictures made of squares."""

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
    """A world without goal and physics engine. The settings of a distribution are the same for all of its tasks.

    Subclasses define `defaults` (each setting with its default value, which also determines its type), the parameters
    for given settings, and a simulation.
    """

    defaults: ClassVar[Settings] = {}
    rules: ClassVar[int] = 1  # version of the rules, incremented when equal actions lead to another reward

    @abstractmethod
    def task_parameters(self, settings: Settings) -> tuple[Parameter, ...]:
        """Return the parameters that a task may set."""

    @abstractmethod
    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], batch: Batch) -> Simulation:
        """Return a simulation of `batch.num_envs` games on `batch.device`."""

    def settings(self, config: WorldConfig) -> Settings:
        """Return the distribution's settings merged with the defaults.

        Raises MetarlError for an unknown setting, a value of another type, and an integer below 1.
        """
        for name, value in config.settings.items():
            if name not in self.defaults:
                raise unknown(f"setting of {self.name}", name, self.defaults)
            expected = type(self.defaults[name])
            if type(value) is not expected and not (expected is float and type(value) is int):
                raise MetarlError(f"{config.name}: the setting {name} is a {expected.__name__}, got {value!r}")
            if expected is int and value < 1:
                raise MetarlError(f"{config.name}: the setting {name} must be at least 1, got {value}")
        return {**self.defaults, **config.settings}

    def parameters(self, config: WorldConfig) -> tuple[Parameter, ...]:
        if config.goal is not None:
            raise MetarlError(f"{config.name}: the game {self.name} has its goal in its rules: leave goal out")
        return self.task_parameters(self.settings(config))

    def build(self, config: WorldConfig, num_envs: int, device: torch.device, engine: str | None) -> Simulation:
        if engine is not None:
            raise MetarlError(f"{config.name}: a game runs on no physics engine: leave engine out")
        parameters = self.parameters(config)
        return self.simulation(self.settings(config), parameters, Batch(num_envs, device))

    def fingerprint(self, device: str = "cpu") -> Mapping[str, str]:
        return {"rules": f"{self.name} {self.rules}"}


@dataclass(frozen=True)
class Batch:
    """The size of a batched simulation, and its device."""

    num_envs: int
    device: torch.device


class GameSimulation(Simulation):
    """B games, with the task of each and neutral values of all parameters that do not vary."""

    may_terminate = False
    render_fps = 4

    def __init__(self, parameters: tuple[Parameter, ...], batch: Batch) -> None:
        self.num_envs, self.device = batch.num_envs, batch.device
        self.task = {p.name: self._neutral(p) for p in parameters}
        self.reward_terms = {}
        self.none_terminated = torch.zeros(batch.num_envs, dtype=torch.bool, device=batch.device)
        self.no_flags = torch.zeros(batch.num_envs, dtype=torch.int64, device=batch.device)

    def assign(self, task: Mapping[str, Tensor], mask: Tensor) -> None:
        self.task = {**self.task, **task}

    def picture(self, index: int) -> np.ndarray:
        """Return a picture of one game with a pixel per square, uint8 [rows, columns, 3]."""
        raise NotImplementedError(f"{type(self).__name__} draws no pictures")

    def render(self, index: int, width: int, height: int) -> np.ndarray:
        return enlarged(self.picture(index), width, height)

    def _neutral(self, parameter: Parameter) -> Tensor:
        value = torch.tensor(np.asarray(parameter.neutral), device=self.device)
        return value.expand(self.num_envs, *parameter.shape).clone()


def enlarged(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Enlarge `picture` [rows, columns, 3] to uint8 [height, width, 3], each pixel to a rectangle."""
    rows = np.arange(height) * len(picture) // height
    columns = np.arange(width) * picture.shape[1] // width
    return np.ascontiguousarray(picture[rows[:, None], columns])


def bars(heights: np.ndarray, marked: int, rows: int = 32) -> np.ndarray:
    """Draw a bar for each height in [0, 1], the marked one in another colour; uint8 [rows, 4 bars + 1, 3]."""
    tall = np.arange(rows, 0, -1)[:, None] <= np.clip(heights, 0.0, 1.0) * (rows - 1) + 1
    colours = np.full((len(heights), 3), (90, 130, 200), np.uint8)
    if 0 <= marked < len(heights):
        colours[marked] = (240, 140, 40)
    pixels = np.where(tall[..., None], colours, np.uint8(245)).astype(np.uint8)
    return with_grid_lines(pixels, (1, 4), (245, 245, 245))


def with_grid_lines(picture: np.ndarray, cell: tuple[int, int], line: Colour) -> np.ndarray:
    """Enlarge each pixel to a cell of `cell` (rows, columns) pixels, with lines between cells of more than one pixel.

    Returns uint8 [.., .., 3].
    """
    enlarged_picture = picture.repeat(cell[0], 0).repeat(cell[1], 1)
    for axis in (0, 1):
        if cell[axis] > 1:
            enlarged_picture = np.concatenate([enlarged_picture.take([0], axis), enlarged_picture], axis)
            enlarged_picture.swapaxes(0, axis)[:: cell[axis]] = line
    return enlarged_picture
