"""Ant: a robot with four legs on a plane."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from metarl.envs.physics import BufferSizes, Physics
from metarl.envs.robots.robot import Robot, contact_cost


class Ant(Robot):
    """The four-legged robot of Schulman et al. (2016) with Gymnasium Ant-v5's dynamics, bit for bit.

    An env step is 5 physics steps of 0.01 s: dt = 0.05 s. Integrator: RK4.

    Action, `Box(-1, 1, (8,))`: torque of each motor in units of 150 N m, clipped to +-1. x points forward, y left.

    | 0, 1 | 2, 3 | 4, 5 | 6, 7 |
    |---|---|---|---|
    | front right hip, ankle | front left | back left | back right |

    Observation parts (`position` and `velocity` by default, 27 numbers):

    | part | numbers | unit |
    |---|---|---|
    | position | height, orientation (quaternion), 8 joint angles | m, rad |
    | velocity | x, y, height; 3 angular velocities; 8 joints | m/s, rad/s |
    | place | x, y | m |
    | contact | contact torques and forces on the 13 bodies, each clipped to +-1: 78 numbers | N m, N |

    Joints: hip and ankle of the legs front left, back left, back right, front right.

    Reward: the goal's terms − 0.5 Σ a² (term `control`) − 0.0005 Σ f² (`contact`, with f the forces above) + 1 per step
    (`alive`). Forces are those at the state after the step; Gymnasium's are those of the last stage of the integrator's
    last substep. They are costly, and computed only if the term has a weight or the part is observed. Place: x and y of
    the torso, m.

    Start: qpos + U(-0.1, 0.1), with the quaternion normalised, and qvel + 0.1 N(0, 1).

    Termination (a fall): height outside of [0.2, 1] m.
    """

    name = "Ant"
    mjcf = Path(__file__).with_name("ant.xml")
    frame_skip = 5
    buffer_sizes = BufferSizes(contacts=16, constraints=64)
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
