"""Walker2d: a planar robot with two legs."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from metarl.envs.physics import BufferSizes, Physics
from metarl.envs.robots.robot import Robot


class Walker2d(Robot):
    """The two-legged robot of Erez, Tassa and Todorov (2012) with Gymnasium Walker2d-v5's dynamics, bit for bit.

    An env step is 4 physics steps of 0.002 s: dt = 0.008 s (longer by the setting `frame_skip`). Integrator: RK4.

    Action, `Box(-1, 1, (6,))`: torque of each motor in units of 100 N m, clipped to +-1: right thigh, leg, foot, left
    thigh, leg, foot.

    Observation parts (both by default, 17 numbers; x is left out because it would reveal the motion since the start):

    | part | numbers | unit |
    |---|---|---|
    | position | height, pitch, 6 joint angles (in the order of the motors) | m, rad |
    | velocity | x, height, pitch, 6 joints, each clipped to +-10 | m/s, rad/s |

    Reward: the goal's terms − 0.001 Σ a² (term `control`) + 1 per step (`alive`). Place: x of the torso, m.
    Tilt: pitch and pitch rate.

    Start: qpos + U(-0.005, 0.005), qvel + U(-0.005, 0.005).

    Termination (a fall): height outside of (0.8, 2) m, or pitch at or beyond +-1 rad.
    """

    name = "Walker2d"
    mjcf = Path(__file__).with_name("walker2d.xml")
    frame_skip = 4
    buffer_sizes = BufferSizes(contacts=12, constraints=48)
    observation_parts = {"position": lambda p: p.qpos[:, 1:], "velocity": lambda p: p.qvel.clamp(-10, 10)}
    observation = ("position", "velocity")
    weights = {"control": 1e-3, "alive": 1.0}
    qpos_noise = 0.005
    qvel_noise = 0.005
    qvel_sampler = "uniform"

    def tilt(self, physics: Physics) -> Tensor:
        return torch.stack([physics.qpos[:, 2], physics.qvel[:, 2]], 1)

    def fallen(self, physics: Physics) -> Tensor:
        height, pitch = physics.qpos[:, 1], physics.qpos[:, 2]
        return (height <= 0.8) | (height >= 2.0) | (pitch.abs() >= 1.0)
