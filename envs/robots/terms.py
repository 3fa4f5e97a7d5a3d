"""Reward terms of robots: functions of the physics after an env step and of the clipped action.

Each returns float [B]; costs are negative. A robot's `reward_terms` names them and its `weights` weight them.
"""

from __future__ import annotations

from torch import Tensor

from metarl.envs.physics import Physics


def action_cost(physics: Physics, action: Tensor) -> Tensor:
    """Return −Σ a² for actions in [-1, 1]."""
    return -action.square().sum(1)


def contact_cost(physics: Physics, action: Tensor) -> Tensor:
    """Return −Σ clip(f, −1, 1)² over the contact forces and torques on all bodies (`cfrc_ext`), N and N m."""
    return -physics.data("cfrc_ext").clamp(-1, 1).square().sum((1, 2))


def alive(physics: Physics, action: Tensor) -> Tensor:
    """Return 1 for every step, including the step of a fall."""
    return action.new_ones(len(action))
