"""Reacher: an arm with two links in a plane."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from metarl.envs.physics import BufferSizes, Physics
from metarl.envs.robots.robot import Robot


class Reacher(Robot):
    """An arm with two links and a reach of 0.21 m, with the dynamics of Gymnasium Reacher-v5's arm, bit for bit.

    An env step is 2 physics steps of 0.01 s: dt = 0.02 s. Integrator: RK4. Episodes end only by the horizon.

    Action, `Box(-1, 1, (2,))`: torque of each motor in units of its gear, 200, clipped to +-1: shoulder, elbow.

    Observation parts (all by default, 8 numbers; the target belongs to the task and is neither modelled nor observed):

    | part | numbers | unit |
    |---|---|---|
    | angles | cosines of shoulder and elbow, their sines | |
    | velocity | shoulder, elbow | rad/s |
    | fingertip | x, y | m |

    Reward: the goal's terms − Σ a² (term `control`). Place: x and y of the fingertip, m.

    Start: both angles U(-0.1, 0.1), both velocities U(-0.005, 0.005).
    """

    name = "Reacher"
    mjcf = Path(__file__).with_name("reacher.xml")
    frame_skip = 2
    buffer_sizes = BufferSizes(contacts=1, constraints=8)
    derived = ("xpos",)
    observation_parts = {
        "angles": lambda p: torch.cat([p.qpos.cos(), p.qpos.sin()], 1),
        "velocity": lambda p: p.qvel,
        "fingertip": lambda p: p.data("xpos")[:, 3, :2],
    }
    observation = ("angles", "velocity", "fingertip")
    weights = {"control": 1.0}
    qpos_noise = 0.1
    qvel_noise = 0.005
    qvel_sampler = "uniform"

    def place(self, physics: Physics) -> Tensor:
        return physics.data("xpos")[:, 3, :2]
