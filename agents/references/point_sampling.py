"""Posterior sampling for a goal hidden on an arc: walks to places that may be the goal until one gives a reward."""

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
    """The distribution of goals, and settings of its approximation."""

    arc_rad: float = math.pi
    """the goal lies on the unit circle, at an angle between 0 and this"""
    radius: float = 0.2
    """distance to the goal within which the reward is 1 - distance; beyond it is 0"""
    places: int = 721
    """points of the grid over the arc"""
    tolerance: float = 0.01
    """difference between expected and actual reward up to which a place is not ruled out"""
    seed: int = 0
    """seed of the draws"""

    def __post_init__(self) -> None:
        check_number(self, "arc_rad", above=0.0, high=2 * math.pi)
        check_number(self, "radius", "tolerance", above=0.0)
        check_whole(self, "places", low=2)
        check_whole(self, "seed", low=0)


class PointSamplingAgent:
    """An agent that draws a goal from the posterior for each episode, and another when it is ruled out."""

    def __init__(self, action_space: gym.Space, settings: PointSamplingSettings) -> None:
        if getattr(action_space, "shape", None) != (2,):
            raise MetarlError(f"point-sampling moves a point in the plane by actions [2], not in {action_space}")
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
        consistent = (expected - reward[:, None]).abs() <= s.tolerance
        consistent |= (distance - s.radius).abs() <= s.tolerance  # at the edge both rewards are possible
        possible = self.possible * consistent
        self.possible = torch.where(possible.any(1, keepdim=True), possible, self.possible)
        redraw = self.possible.gather(1, self.drawn[:, None])[:, 0] == 0
        redraw |= (step.terminated | step.truncated).cpu()
        self.drawn = torch.where(redraw, self._draw(), self.drawn)

    def _draw(self) -> Tensor:
        return torch.multinomial(self.possible, 1, generator=self.generator)[:, 0]


POINT_SAMPLING = AgentType(
    "point-sampling", PointSamplingSettings, None,
    lambda _, actions, settings, *__: PointSamplingAgent(actions, settings),
    about="reference on PointNavSparse: to a place drawn from the posterior over goals",
)  # fmt: skip
