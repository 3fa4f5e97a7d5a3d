"""HalfCheetah: a planar robot with two legs."""

from __future__ import annotations

from pathlib import Path

from metarl.envs.physics import BufferSizes
from metarl.envs.robots.robot import Robot


class HalfCheetah(Robot):
    """The planar runner of Wawrzyński (2009) with Gymnasium HalfCheetah-v5's dynamics, bit for bit.

    An env step is 5 physics steps of 0.01 s: dt = 0.05 s. Integrator: Euler. Episodes end only by the horizon.

    Action, `Box(-1, 1, (6,))`: torque of each motor in units of its gear, clipped to +-1.

    | 0 | 1 | 2 | 3 | 4 | 5 |
    |---|---|---|---|---|---|
    | back thigh, 120 N m | back shin, 90 | back foot, 60 | front thigh, 120 | front shin, 60 | front foot, 30 |

    Observation parts (both by default, 17 numbers; x is left out because it would reveal the motion since the start):

    | part | numbers | unit |
    |---|---|---|
    | position | height, pitch, 6 joint angles (back thigh, shin, foot, front thigh, shin, foot) | m, rad |
    | velocity | x, height, pitch, 6 joints | m/s, rad/s |

    Reward: the goal's terms − 0.05 Σ a² (term `control`; the weight is 0.1 in Gymnasium and 0.05 in the meta-RL
    literature). Place: x of the torso, m.

    Start: qpos + U(-0.1, 0.1), qvel + 0.1 N(0, 1).
    """

    name = "HalfCheetah"
    mjcf = Path(__file__).with_name("half_cheetah.xml")
    frame_skip = 5
    buffer_sizes = BufferSizes(contacts=12, constraints=48)
    observation_parts = {"position": lambda p: p.qpos[:, 1:], "velocity": lambda p: p.qvel}
    observation = ("position", "velocity")
    weights = {"control": 0.05}
    qpos_noise = 0.1
    qvel_noise = 0.1
