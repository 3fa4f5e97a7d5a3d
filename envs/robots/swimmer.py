"""Swimmer: a chain of three links in a viscous fluid."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from metarl.envs.physics import BufferSizes, Physics
from metarl.envs.robots.robot import Robot


class Swimmer(Robot):
    """The three-link swimmer of Coulom (2002) with Gymnasium Swimmer-v5's dynamics, bit for bit.

    An env step is 4 physics steps of 0.01 s: dt = 0.04 s. Integrator: RK4. Episodes end only by the horizon.

    Action, `Box(-1, 1, (2,))`: torque of each motor in units of 150 N m, clipped to +-1: front joint, back joint.

    Observation parts (`position` and `velocity` by default, 8 numbers):

    | part | numbers | unit |
    |---|---|---|
    | position | heading of the front link, front joint, back joint | rad |
    | velocity | x, y of the front link; heading, front joint, back joint | m/s, rad/s |
    | place | x, y of the front link | m |

    Reward: the goal's terms − 0.0001 Σ a² (term `control`). Place: x and y of the front link, m.

    Start: qpos + U(-0.1, 0.1), qvel + U(-0.1, 0.1).
    """

    name = "Swimmer"
    mjcf = Path(__file__).with_name("swimmer.xml")
    frame_skip = 4
    buffer_sizes = BufferSizes(contacts=1, constraints=8)
    observation_parts = {
        "position": lambda p: p.qpos[:, 2:],
        "velocity": lambda p: p.qvel,
        "place": lambda p: p.qpos[:, :2],
    }
    observation = ("position", "velocity")
    weights = {"control": 1e-4}
    qpos_noise = 0.1
    qvel_noise = 0.1
    qvel_sampler = "uniform"

    def place(self, physics: Physics) -> Tensor:
        return physics.qpos[:, :2]
