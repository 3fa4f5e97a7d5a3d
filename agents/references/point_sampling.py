"""Posterior sampling for a place hidden on an arc: walk to a place that may be it, until it is felt."""

from __future__ import annotations

import math
from dataclasses import dataclass

import gymnasium as gym
import torch
from torch import Tensor

from metarl.checks import check_number, check_whole
from metarl.core.agent import AgentType
from metarl.core.rng import generator
from metarl.core.trials import Step
from metarl.errors import MetarlError

SPEED = 0.1  # a full step along each axis


@dataclass(frozen=True)
class PointSamplingSettings:
    """What is known of every task."""

    arc_rad: float = math.pi
    """the goal lies on the unit circle, at an angle from 0 to this"""
    radius: float = 0.2
    """how near the goal is felt: the reward there is 1 - distance, else 0"""
    places: int = 721
    """of the grid over the arc"""
    tolerance: float = 0.01
    """difference of rewards that does not rule a place out"""
    seed: int = 0
    """of the draws"""

    def __post_init__(self) -> None:
        check_number(self, "arc_rad", above=0.0, high=2 * math.pi)
        check_number(self, "radius", "tolerance", above=0.0)
        check_whole(self, "places", low=2)
        check_whole(self, "seed", low=0)


class PointSamplingAgent:
    """Draws a goal from the exact posterior each episode, and anew whenever the one drawn is ruled out."""

    def __init__(self, action_space: gym.Space, settings: PointSamplingSettings) -> None:
        if getattr(action_space, "shape", None) != (2,):
            raise MetarlError(f"posterior sampling of places moves a point in the plane, not in {action_space}")
        self.settings = settings
        angle = torch.linspace(0.0, settings.arc_rad, settings.places)
        self.places = torch.stack([angle.cos(), angle.sin()], 1)  # [P, 2]

    def begin(self, num_envs: int) -> None:
        self.generator = generator(self.settings.seed, "point sampling")
        self.possible = torch.ones(num_envs, self.settings.places)
        self.drawn = self._draw()

    def act(self, obs: Tensor) -> Tensor:
        self.point = obs.cpu()
        return ((self.places[self.drawn] - self.point) / SPEED).clamp(-1.0, 1.0).to(obs.device)

    def observe(self, step: Step) -> None:
        s, reward = self.settings, step.reward.cpu()
        distance = torch.cdist(step.final_obs.cpu(), self.places)
        expected = (1.0 - distance) * (distance <= s.radius)
        agrees = (expected - reward[:, None]).abs() <= s.tolerance
        agrees |= (distance - s.radius).abs() <= s.tolerance  # on the edge either may be
        still = self.possible * agrees
        self.possible = torch.where(still.any(1, keepdim=True), still, self.possible)
        again = self.possible.gather(1, self.drawn[:, None])[:, 0] == 0
        again |= (step.terminated | step.truncated).cpu()
        self.drawn = torch.where(again, self._draw(), self.drawn)

    def _draw(self) -> Tensor:
        return torch.multinomial(self.possible, 1, generator=self.generator)[:, 0]


POINT_SAMPLING = AgentType(
    "point-sampling", PointSamplingSettings, None,
    lambda _, actions, settings, *__: PointSamplingAgent(actions, settings),
    about="reference on PointNavSparse: to a place drawn from those that may be the goal",
)  # fmt: skip
