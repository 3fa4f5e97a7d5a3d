"""Humanoid: a humanoid robot on a plane."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from metarl.envs.physics import BufferSizes, Physics
from metarl.envs.robots.robot import Robot

MAX_CONTROL = 0.4  # control of each motor at an action of 1
MAX_CONTACT = 10 / 5e-7  # N^2; bounds the contact cost by 10 at its default weight


class Humanoid(Robot):
    """The humanoid of Tassa, Erez and Todorov (2012) with Gymnasium Humanoid-v5's dynamics, with Newton's solver.

    Gymnasium's solver is PGS with 50 iterations, which does not converge with many contacts and does not exist on GPU
    engines. If Gymnasium's model uses MuJoCo's default solver (Newton, 100 iterations), the dynamics are the same bit
    for bit.

    An env step is 5 physics steps of 0.003 s: dt = 0.015 s. Integrator: RK4.

    Action, `Box(-1, 1, (17,))`: torque of each motor in units of its maximum, clipped to +-1. Controls are u = 0.4 a,
    with gears 100 N m (abdomen, hips x and z), 300 (hips y), 200 (knees) and 25 (arms).

    | 0-2 | 3-6 | 7-10 | 11-13 | 14-16 |
    |---|---|---|---|---|
    | abdomen y, z, x | right hip x, z, y, knee | left hip x, z, y, knee | right shoulder 1, 2, elbow | left |

    Observation parts (`position` and `velocity` by default, 45 numbers; followed by `inertia`, `body_velocity`,
    `torque` and `contact` they are Gymnasium's 348, some of which are constant):

    | part | numbers | unit |
    |---|---|---|
    | position | height, orientation (quaternion), 17 joint angles | m, rad |
    | velocity | x, y, height; 3 angular velocities; 17 joints | m/s, rad/s |
    | place | x, y of the centre of mass | m |
    | inertia | each body's inertia and mass about the centre of mass: 13 x 10 | kg m^2, kg m, kg |
    | body_velocity | each body's angular and linear velocity: 13 x 6 | rad/s, m/s |
    | torque | of the motors, 17 | N m |
    | contact | contact torques and forces on the bodies: 13 x 6 | N m, N |

    Reward: the goal's terms − 0.1 Σ u² (term `control`) − min(5e-7 Σ f², 10) (`contact`, with f the forces above;
    another weight also scales the bound) + 5 per step (`alive`). Place: x and y of the centre of mass, m.
    All values are those of the state after the step; Gymnasium's centre of mass, inertias and forces are those of the
    last stage of the integrator's last substep. Contact forces are costly, and computed only if the term has a weight
    or the part is observed.

    Start: qpos + U(-0.01, 0.01), with the quaternion normalised, and qvel + U(-0.01, 0.01).

    Termination (a fall): height outside of [1, 2] m.
    """

    name = "Humanoid"
    mjcf = Path(__file__).with_name("humanoid.xml")
    frame_skip = 5
    buffer_sizes = BufferSizes(contacts=24, constraints=80)
    observation_parts = {
        "position": lambda p: p.qpos[:, 2:],
        "velocity": lambda p: p.qvel,
        "place": lambda p: p.data("subtree_com")[:, 1, :2],
        "inertia": lambda p: p.data("cinert")[:, 1:].flatten(1),
        "body_velocity": lambda p: p.data("cvel")[:, 1:].flatten(1),
        "torque": lambda p: p.data("qfrc_actuator")[:, 6:],
        "contact": lambda p: p.data("cfrc_ext")[:, 1:].flatten(1),
    }
    observation = ("position", "velocity")
    reward_terms = {
        **Robot.reward_terms,
        "control": lambda p, action: -(MAX_CONTROL * action).square().sum(1),
        "contact": lambda p, action: -p.data("cfrc_ext").square().sum((1, 2)).clamp(max=MAX_CONTACT),
    }
    weights = {"control": 0.1, "contact": 5e-7, "alive": 5.0}
    derived = ("subtree_com",)
    reads = {
        "inertia": ("cinert",), "body_velocity": ("cvel",), "torque": ("qfrc_actuator",), "contact": ("cfrc_ext",),
    }  # fmt: skip
    qpos_noise = 0.01
    qvel_noise = 0.01
    qvel_sampler = "uniform"

    def place(self, physics: Physics) -> Tensor:
        return physics.data("subtree_com")[:, 1, :2]

    def fallen(self, physics: Physics) -> Tensor:
        height = physics.qpos[:, 2]
        return (height < 1.0) | (height > 2.0)
