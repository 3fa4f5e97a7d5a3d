"""PointMass: a ball on a plane, pushed by two motors."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from metarl.envs.physics import BufferSizes, Physics
from metarl.envs.robots.robot import Robot


class PointMass(Robot):
    """A 1 kg ball on a plane with viscous drag, pushed by two motors: 2-D navigation on MuJoCo.

    An env step is 5 physics steps of 0.01 s: dt = 0.05 s. Integrator: Euler. Episodes end only by the horizon.

    Action, `Box(-1, 1, (2,))`: force along x and y in units of 10 N, clipped to +-1. Drag is 5 N s/m, so a force of
    10 N leads to 2 m/s with a time constant of 0.2 s.

    Observation parts (both by default, 4 numbers):

    | part | numbers | unit |
    |---|---|---|
    | position | x, y | m |
    | velocity | x, y | m/s |

    Reward: the goal's terms − 0.01 Σ a² (term `control`). Place: x and y, m.

    Start: at rest, at the origin + U(-0.05, 0.05).
    """

    name = "PointMass"
    mjcf = Path(__file__).with_name("point_mass.xml")
    frame_skip = 5
    buffer_sizes = BufferSizes(contacts=1, constraints=8)
    observation_parts = {"position": lambda p: p.qpos, "velocity": lambda p: p.qvel}
    observation = ("position", "velocity")
    weights = {"control": 0.01}
    qpos_noise = 0.05

    def place(self, physics: Physics) -> Tensor:
        return physics.qpos[:, :2]
