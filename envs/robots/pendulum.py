"""Pendulum: a rod on a hinge with a weak motor."""

from __future__ import annotations

from math import pi
from pathlib import Path

import torch
from torch import Tensor

from metarl.envs.physics import BufferSizes, Physics
from metarl.envs.robots.robot import Robot

MAX_TORQUE = 2.0  # N m, at an action of 1


class Pendulum(Robot):
    """A thin rod of 1 kg and 1 m on a hinge, with Gymnasium Pendulum-v1's equation of motion, as a MuJoCo model.

    An env step is one physics step, dt = 0.05 s, of MuJoCo's Euler integrator (velocity first, then angle with the new
    velocity): ω' = ω + (3 g / (2 l) sin θ + 3 u / (m l²)) dt, θ' = θ + ω' dt, with g = 10 m/s² and θ = 0 upright.
    Unlike Gymnasium, which clips ω to +-8 rad/s, velocities are unbounded. Episodes end only by the horizon.

    Action, `Box(-1, 1, (1,))`: torque u = 2 a N m, clipped to +-2. The horizontal rod needs 5 N m to rise.

    Observation parts (both by default, 3 numbers):

    | part | numbers | unit |
    |---|---|---|
    | angle | cosine, sine | |
    | velocity | of the angle | rad/s |

    Reward: the goal's terms − 0.001 u² (term `control`). Place: the angle, rad. Tilt: the angle and its velocity.

    Start: angle U(-pi, pi), angular velocity U(-1, 1).
    """

    name = "Pendulum"
    mjcf = Path(__file__).with_name("pendulum.xml")
    frame_skip = 1
    buffer_sizes = BufferSizes(contacts=1, constraints=8)
    observation_parts = {
        "angle": lambda p: torch.cat([p.qpos.cos(), p.qpos.sin()], 1),
        "velocity": lambda p: p.qvel,
    }
    observation = ("angle", "velocity")
    reward_terms = {**Robot.reward_terms, "control": lambda p, action: -(MAX_TORQUE * action).square().sum(1)}
    weights = {"control": 1e-3}
    qpos_noise = pi
    qvel_noise = 1.0
    qvel_sampler = "uniform"

    def tilt(self, physics: Physics) -> Tensor:
        return torch.cat([physics.qpos, physics.qvel], 1)
