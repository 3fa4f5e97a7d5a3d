"""Pendulum: a rod that a weak motor must swing up."""

from __future__ import annotations

from math import pi
from pathlib import Path

import torch
from torch import Tensor

from metarl.envs.physics import Physics, Room
from metarl.envs.robots.robot import Robot

MOST_TORQUE = 2.0  # N m: an action of 1


class Pendulum(Robot):
    """A thin rod of 1 kg and 1 m on a hinge: Gymnasium Pendulum-v1's equation of motion, as a MuJoCo model.

    An env step is one physics step, dt = 0.05 s, by MuJoCo's Euler (velocity first, then angle with the new velocity):
    ω' = ω + (3 g / (2 l) sin θ + 3 u / (m l²)) dt, θ' = θ + ω' dt, with g = 10 m/s² and θ = 0 upright. Gymnasium also
    clips ω to +-8 rad/s; here nothing does. Episodes end only by the horizon.

    Action, `Box(-1, 1, (1,))`: torque u = 2 a N m, saturated at +-2. It takes 5 N m to lift the rod from the side.

    Observation parts (both seen by default, 3 numbers):

    | part | numbers | unit |
    |---|---|---|
    | angle | cosine, sine | |
    | velocity | of the angle | rad/s |

    Reward: the goal's terms − 0.001 u² (term `control`). Place: the angle, rad. Tilt: the same.

    Start: the angle U(-pi, pi), its velocity U(-1, 1).
    """

    name = "Pendulum"
    mjcf = Path(__file__).with_name("pendulum.xml")
    frame_skip = 1
    room = Room(contacts=1, constraints=8)
    observation_parts = {
        "angle": lambda p: torch.cat([p.qpos.cos(), p.qpos.sin()], 1),
        "velocity": lambda p: p.qvel,
    }
    observation = ("angle", "velocity")
    reward_terms = {**Robot.reward_terms, "control": lambda p, action: -(MOST_TORQUE * action).square().sum(1)}
    weights = {"control": 1e-3}
    qpos_noise = pi
    qvel_noise = 1.0
    qvel_sampler = "uniform"

    def tilt(self, physics: Physics) -> Tensor:
        return torch.cat([physics.qpos, physics.qvel], 1)
