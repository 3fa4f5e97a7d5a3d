"""Hopper: a planar robot with one leg."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from metarl.envs.physics import BufferSizes, Physics
from metarl.envs.robots.robot import Robot


class Hopper(Robot):
    """The one-legged robot of Erez, Tassa and Todorov (2012) with Gymnasium Hopper-v5's dynamics, bit for bit.

    An env step is 4 physics steps of 0.002 s: dt = 0.008 s (longer by the setting `frame_skip`). Integrator: RK4.

    Action, `Box(-1, 1, (3,))`: torque of each motor in units of 200 N m, clipped to +-1: thigh, leg, foot.

    Observation parts (both by default, 11 numbers; x is left out because it would reveal the motion since the start):

    | part | numbers | unit |
    |---|---|---|
    | position | height, pitch, 3 joint angles (thigh, leg, foot) | m, rad |
    | velocity | x, height, pitch, 3 joints, each clipped to +-10 | m/s, rad/s |

    Reward: the goal's terms − 0.001 Σ a² (term `control`) + 1 per step (`alive`). Place: x of the torso, m.
    Tilt: pitch and pitch rate.

    Start: qpos + U(-0.005, 0.005), qvel + U(-0.005, 0.005).

    Termination (a fall): height at or below 0.7 m, pitch at or beyond +-0.2 rad, or any other angle or velocity at or
    beyond +-100.
    """

    name = "Hopper"
    mjcf = Path(__file__).with_name("hopper.xml")
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
        height, angles = physics.qpos[:, 1], physics.qpos[:, 2:]
        unhealthy = (angles.abs() >= 100).any(1) | (physics.qvel.abs() >= 100).any(1)
        return (height <= 0.7) | (angles[:, 0].abs() >= 0.2) | unhealthy
