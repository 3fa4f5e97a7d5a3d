"""CartPole: a pole on a cart on a rail."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from metarl.envs.physics import Physics, Room
from metarl.envs.robots.robot import Robot


class CartPole(Robot):
    """The pole of Barto, Sutton and Anderson (1983) with Gymnasium InvertedPendulum-v5's dynamics, bit for bit.

    An env step is 2 physics steps of 0.02 s: dt = 0.04 s. Integrator: RK4.

    Action, `Box(-1, 1, (1,))`: push on the cart as a share of 300 N (a control of 3, gear 100), saturated at +-1.

    Observation parts (both seen by default, 4 numbers; x is seen, for the rail ends at +-1 m):

    | part | numbers | unit |
    |---|---|---|
    | position | x of the cart, angle of the pole from upright | m, rad |
    | velocity | the same | m/s, rad/s |

    Reward: the goal's terms alone. Place: x of the cart, m. Tilt: the pole's.

    Start: qpos + U(-0.01, 0.01), qvel + U(-0.01, 0.01).

    Ends (a fall): the pole beyond +-0.2 rad.
    """

    name = "CartPole"
    mjcf = Path(__file__).with_name("cart_pole.xml")
    frame_skip = 2
    room = Room(contacts=1, constraints=8)
    observation_parts = {"position": lambda p: p.qpos, "velocity": lambda p: p.qvel}
    observation = ("position", "velocity")
    qpos_noise = 0.01
    qvel_noise = 0.01
    qvel_sampler = "uniform"

    def tilt(self, physics: Physics) -> Tensor:
        return torch.stack([physics.qpos[:, 1], physics.qvel[:, 1]], 1)

    def fallen(self, physics: Physics) -> Tensor:
        return physics.qpos[:, 1].abs() > 0.2
