"""PointNav: a point in the plane, moved to a goal that is not observed."""

from __future__ import annotations

from collections.abc import Mapping

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import NAN_ACTION, Appearance, Outcome
from metarl.envs.games.game import Batch, Game, GameSimulation, Settings
from metarl.errors import MetarlError, unknown
from metarl.tasks.parameter import Parameter

SPEED = 0.1  # displacement at an action of 1, along each axis
REWARDS = ("near", "inside")
VIEW = 1.6  # half the width of the pictures


class PointNav(Game):
    r"""A point that moves by up to 0.1 along x and y (Rakelly et al. 2019, PEARL; wind: Dorfman et al. 2021, BOReL).

    Settings: `radius` (0.0): the distance from the goal within which it is rewarded; 0 for a dense reward. `reward`
    ("near" or "inside"): the reward within the radius, see below.

    Action, `Box(-1, 1, (2,))`, clipped to +-1: $x' = x + 0.1 a + w$. Observation: x and y.

    Reward (term `goal`), with d the distance from the goal after the step: $-d$ if radius is 0; else, if
    $d \le$ radius, $1 - d$ ("near") or 1 ("inside"), and 0 elsewhere. Episodes end only by the horizon.

    Start: the origin. Parameters: `goal` (x, y); `wind` w.
    """

    name = "PointNav"
    defaults = {"radius": 0.0, "reward": "near"}

    def task_parameters(self, settings: Settings) -> tuple[Parameter, ...]:
        if settings["reward"] not in REWARDS:
            raise unknown("reward of PointNav", settings["reward"], REWARDS)
        if settings["radius"] < 0:
            raise MetarlError(f"the radius of PointNav must be at least 0, got {settings['radius']}")
        return (
            Parameter("goal", (2,), neutral=(0.0, 1.0), doc="position of the goal"),
            Parameter("wind", (2,), unit="/step", doc="displacement by the wind in each step"),
        )

    def simulation(self, settings: Settings, parameters: tuple[Parameter, ...], batch: Batch) -> PointNavSimulation:
        return PointNavSimulation(parameters, batch, settings)


class PointNavSimulation(GameSimulation):
    """B points."""

    appearance = Appearance(starts_alike=True)
    render_fps = 10

    def __init__(self, parameters: tuple[Parameter, ...], batch: Batch, settings: Settings) -> None:
        super().__init__(parameters, batch)
        self.radius, self.inside = settings["radius"], settings["reward"] == "inside"
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.point = torch.zeros(batch.num_envs, 2, device=batch.device)

    def assign(self, task: Mapping[str, Tensor], mask: Tensor) -> None:
        super().assign(task, mask)
        self.goal, self.wind = self.task["goal"].float(), self.task["wind"].float()

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        self.point = self.point.masked_fill(mask[:, None], 0.0)

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        nan = action.isnan().any(1) & active
        move = torch.add(self.wind, action.nan_to_num(nan=0.0).clamp_(-1.0, 1.0), alpha=SPEED)
        self.point = torch.where(active[:, None], self.point + move, self.point)
        reward = self._reward((self.point - self.goal).square().sum(1).sqrt()) * active
        self.reward_terms = {"goal": reward}
        return Outcome(reward, self.none_terminated, nan * NAN_ACTION)

    def _reward(self, distance: Tensor) -> Tensor:
        if self.radius == 0:
            return -distance
        rewarded = distance <= self.radius
        return rewarded.float() if self.inside else (1.0 - distance) * rewarded

    def observe(self) -> Tensor:
        return self.point.clone()

    def text(self, index: int) -> str:
        """Return the coordinates of the point, the goal and the wind."""
        (x, y), (gx, gy), (wx, wy) = (v[index].tolist() for v in (self.point, self.goal, self.wind))
        return f"point ({x:.2f}, {y:.2f})  goal ({gx:.2f}, {gy:.2f})  wind ({wx:.3f}, {wy:.3f})"

    def picture(self, index: int, pixels: int = 120) -> np.ndarray:
        """Draw the plane from above, with the goal's disc and the point."""
        axis = np.linspace(-VIEW, VIEW, pixels)
        plane = np.stack(np.meshgrid(axis, axis[::-1]), -1)
        picture = np.full((pixels, pixels, 3), 235, np.uint8)
        for centre, size, colour in (
            (self.goal[index], max(self.radius, 0.06), (60, 160, 90)),
            (self.point[index], 0.05, (240, 140, 40)),
        ):
            picture[np.square(plane - centre.cpu().numpy()).sum(-1) <= size**2] = colour
        return picture
