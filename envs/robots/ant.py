"""Ant: a four-legged robot in a plane."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from metarl.envs.physics import Physics, Room
from metarl.envs.robots.robot import Robot
from metarl.envs.robots.terms import contact_cost


class Ant(Robot):
    """The four-legged robot of Schulman et al. (2016) with Gymnasium Ant-v5's dynamics, bit for bit.

    An env step is 5 physics steps of 0.01 s: dt = 0.05 s. Integrator: RK4.

    Action, `Box(-1, 1, (8,))`: torque of each motor as a share of 150 N m, saturated at +-1. x points forward, y left.

    | 0, 1 | 2, 3 | 4, 5 | 6, 7 |
    |---|---|---|---|
    | front right hip, ankle | front left | back left | back right |

    Observation parts (`position` and `velocity` are seen by default, 27 numbers):

    | part | numbers | unit |
    |---|---|---|
    | position | height, orientation (quaternion), 8 joint angles | m, rad |
    | velocity | x, y, height; 3 rates of turning; 8 joints | m/s, rad/s |
    | place | x, y | m |
    | contact | torques and forces of contact on the 13 bodies, each clipped to +-1: 78 numbers | N m, N |

    Joints: hip and ankle of the legs front left, back left, back right, front right.

    Reward: the goal's terms − 0.5 Σ a² (term `control`) − 0.0005 Σ f² (`contact`, f the forces above) + 1 a step
    (`alive`). Forces are those at the state the step leads to, Gymnasium's of the last stage inside the integrator's
    last step. They cost time, and are computed only where the term weighs something or the part is seen. Place: x and y
    of the torso, m.

    Start: qpos + U(-0.1, 0.1), the quaternion normalised, qvel + 0.1 N(0, 1).

    Ends (a fall): height out of [0.2, 1] m.
    """

    name = "Ant"
    mjcf = Path(__file__).with_name("ant.xml")
    frame_skip = 5
    room = Room(contacts=16, constraints=64)
    observation_parts = {
        "position": lambda p: p.qpos[:, 2:],
        "velocity": lambda p: p.qvel,
        "place": lambda p: p.qpos[:, :2],
        "contact": lambda p: p.data("cfrc_ext")[:, 1:].flatten(1).clamp(-1, 1),
    }
    observation = ("position", "velocity")
    reward_terms = {**Robot.reward_terms, "contact": contact_cost}
    weights = {"control": 0.5, "contact": 5e-4, "alive": 1.0}
    reads = {"contact": ("cfrc_ext",)}
    qpos_noise = 0.1
    qvel_noise = 0.1

    def place(self, physics: Physics) -> Tensor:
        return physics.qpos[:, :2]

    def fallen(self, physics: Physics) -> Tensor:
        height = physics.qpos[:, 2]
        return (height < 0.2) | (height > 1.0)
