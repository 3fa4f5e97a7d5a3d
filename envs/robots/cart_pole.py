"""CartPole: a pole on a cart on a rail."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from metarl.envs.physics import BufferSizes, Physics
from metarl.envs.robots.robot import Robot


class CartPole(Robot):
    """The pole of Barto, Sutton and Anderson (1983) with Gymnasium InvertedPendulum-v5's dynamics, bit for bit.

    An env step is 2 physics steps of 0.02 s: dt = 0.04 s. Integrator: RK4.

    Action, `Box(-1, 1, (1,))`: force on the cart in units of 300 N (a control of 3 with gear 100), clipped to +-1.

    Observation parts (both by default, 4 numbers; x is observed because the rail ends at +-1 m):

    | part | numbers | unit |
    |---|---|---|
    | position | x of the cart, angle of the pole from upright | m, rad |
    | velocity | the same | m/s, rad/s |

    Reward: the goal's terms. Place: x of the cart, m. Tilt: angle and angular velocity of the pole.

    Start: qpos + U(-0.01, 0.01), qvel + U(-0.01, 0.01).

    Termination (a fall): the pole beyond +-0.2 rad.
    """

    name = "CartPole"
    mjcf = Path(__file__).with_name("cart_pole.xml")
    frame_skip = 2
    buffer_sizes = BufferSizes(contacts=1, constraints=8)
    observation_parts = {"position": lambda p: p.qpos, "velocity": lambda p: p.qvel}
    observation = ("position", "velocity")
    qpos_noise = 0.01
    qvel_noise = 0.01
    qvel_sampler = "uniform"

    def tilt(self, physics: Physics) -> Tensor:
        return torch.stack([physics.qpos[:, 1], physics.qvel[:, 1]], 1)

    def fallen(self, physics: Physics) -> Tensor:
        return physics.qpos[:, 1].abs() > 0.2
