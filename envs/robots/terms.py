"""Reward terms of robots: functions of physics after an env step and of the clipped action; costs are negative.

Each returns [B], for a robot's table of named terms. What a term counts for is said by weights.
"""

from __future__ import annotations

from torch import Tensor

from metarl.envs.physics import Physics


def action_cost(physics: Physics, action: Tensor) -> Tensor:
    """−Σ a², of actions in [-1, 1]."""
    return -action.square().sum(1)


def contact_cost(physics: Physics, action: Tensor) -> Tensor:
    """−Σ clip(f, −1, 1)² over the forces and torques of contact on all bodies (`cfrc_ext`), N and N m."""
    return -physics.data("cfrc_ext").clamp(-1, 1).square().sum((1, 2))


def alive(physics: Physics, action: Tensor) -> Tensor:
    """1 for every step lived, that of a fall included."""
    return action.new_ones(len(action))
