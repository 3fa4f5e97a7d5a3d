"""Reacher: an arm of two links on a table."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from metarl.envs.physics import Physics, Room
from metarl.envs.robots.robot import Robot


class Reacher(Robot):
    """An arm of two links that reaches 0.21 m, with the arm's dynamics of Gymnasium Reacher-v5, bit for bit.

    An env step is 2 physics steps of 0.01 s: dt = 0.02 s. Integrator: RK4. Episodes end only by the horizon.

    Action, `Box(-1, 1, (2,))`: torque of each motor as a share of its gear 200, saturated at +-1: shoulder, elbow.

    Observation parts (all seen by default, 8 numbers; there is no target in the model: it is the task's, and hidden):

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
    room = Room(contacts=1, constraints=8)
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
