"""Distributions over robots that test system identification, fault tolerance, change and exploration."""

from __future__ import annotations

from math import pi
from typing import Any

from metarl.tasks.samplers import Arc, Choice, Disc, Fixed, Integers, LogUniform, Permutation, Uniform, Union
from metarl.tasks.task_distribution import TaskDistribution

TRIAL: dict[str, Any] = {"horizon": 200, "episodes": 2}
FORWARD: dict[str, Any] = {"world": "HalfCheetah", "goal": "advance", **TRIAL}  # 1 m/s has reward 1 per step
SWITCH = Integers(60, 140)  # switch times within 200 steps
NORTH = Arc(1.0, 0.0, pi)
OUTSIDE_NORTH = Union(Arc(1.0, -pi / 6, 0.0), Arc(1.0, pi, 7 * pi / 6))

IDENTIFICATION = (
    TaskDistribution(
        "HalfCheetahMass", **FORWARD,
        parameters={"mass": LogUniform(0.5, 2.0)},
        ood={"mass": Union(LogUniform(0.35, 0.5), LogUniform(2.0, 3.0))},
        tests="identify the robot's mass and run",
    ),
    TaskDistribution(
        "HalfCheetahIce", **FORWARD,
        parameters={"friction": LogUniform(0.1, 1.0)},
        ood={"friction": LogUniform(0.03, 0.1)},
        tests="identify the friction of the ground; the best gait depends on it",
    ),
    TaskDistribution(
        "HalfCheetahGravity", **FORWARD,
        parameters={"gravity": Uniform(0.5, 1.5)},
        ood={"gravity": Union(Uniform(0.2, 0.5), Uniform(1.5, 2.0))},
        tests="identify gravity and run",
    ),
    TaskDistribution(
        "HalfCheetahBody", **FORWARD,
        parameters={
            "body_mass_scale": LogUniform(0.5, 2.0, shape=(7,)),
            "dof_damping_scale": LogUniform(0.5, 2.0, shape=(9,)),
            "motor_strength": LogUniform(0.7, 1.4, shape=(6,)),
            "friction": LogUniform(0.5, 2.0),
        },
        ood={
            "body_mass_scale": Union(LogUniform(0.3, 0.5, shape=(7,)), LogUniform(2.0, 3.0, shape=(7,))),
            "friction": Union(LogUniform(0.3, 0.5), LogUniform(2.0, 3.0)),
        },
        tests="identify many hidden parameters of small effect and run",
    ),
    TaskDistribution(
        "HalfCheetahLimbs", **FORWARD,
        parameters={"limb_lengths": Uniform(0.7, 1.0, shape=(6,))},
        ood={"limb_lengths": Uniform(0.55, 0.7, shape=(6,))},
        tests="find a gait for a body with other limb lengths",
    ),
    TaskDistribution(
        "HalfCheetahSlope", **FORWARD,
        parameters={"slope": Uniform(-0.2, 0.2)},
        ood={"slope": Union(Uniform(-0.35, -0.2), Uniform(0.2, 0.35))},
        tests="run uphill or downhill on a slope that is not observed",
    ),
    TaskDistribution(
        "HalfCheetahPayload", **FORWARD,
        parameters={"payload": Uniform(0.0, 8.0), "friction": LogUniform(0.5, 1.0)},
        ood={"payload": Uniform(8.0, 12.0)},
        tests="carry a payload of unknown mass",
    ),
    TaskDistribution(
        "HopperGravity", world="Hopper", goal="advance", **TRIAL,
        parameters={"gravity": Uniform(0.6, 1.4)},
        ood={"gravity": Union(Uniform(0.3, 0.6), Uniform(1.4, 1.8))},
        tests="identify gravity and hop without a fall",
    ),
    TaskDistribution(
        "Walker2dLimbs", world="Walker2d", goal="advance", **TRIAL,
        parameters={"limb_lengths": Uniform(0.7, 1.0, shape=(6,))},
        ood={"limb_lengths": Uniform(0.55, 0.7, shape=(6,))},
        tests="walk on legs of unequal length",
    ),
    TaskDistribution(
        "AntSlope", world="Ant", goal="advance", **TRIAL,
        parameters={"slope": Uniform(0.0, 0.3), "slope_heading": Uniform(0.0, 2 * pi)},
        ood={"slope": Uniform(0.3, 0.5)},
        tests="keep the direction on a slope of unknown heading",
    ),
    TaskDistribution(
        "SwimmerFluid", world="Swimmer", goal="advance", **TRIAL,
        parameters={"viscosity": LogUniform(0.03, 3.0), "density": Uniform(1000.0, 6000.0)},
        ood={"viscosity": LogUniform(3.0, 10.0)},
        tests="swim in fluids of unknown viscosity; the best stroke depends on it",
    ),
)  # fmt: skip

FAULTS = (
    TaskDistribution(
        "HalfCheetahDeadMotor", **FORWARD,
        parameters={"dead_motor": Choice((-1, 0, 1, 3, 5)), "strength": Uniform(0.8, 1.2)},
        ood={"dead_motor": Choice((2, 4))},
        tests="identify the dead motor, if any, and run without it",
    ),
    TaskDistribution(
        "HalfCheetahWeak", **FORWARD,
        parameters={"motor_strength": Uniform(0.4, 1.2, shape=(6,))},
        ood={"motor_strength": Uniform(0.2, 0.4, shape=(6,))},
        tests="compensate for motors of different strengths",
    ),
    TaskDistribution(
        "HalfCheetahBreakdown", **FORWARD,
        parameters={"dead_motor_after": Choice((0, 1, 3, 5)), "switch_time": SWITCH, "strength": Uniform(0.8, 1.2)},
        ood={"dead_motor_after": Choice((2, 4))},
        tests="detect the failure of a motor during an episode and keep running",
    ),
    TaskDistribution(
        "AntDeadMotor", world="Ant", goal="advance", **TRIAL,
        parameters={"dead_motor": Choice((-1, 0, 1, 2, 3, 4, 5)), "strength": Uniform(0.8, 1.2)},
        ood={"dead_motor": Choice((6, 7))},
        tests="identify the dead motor of eight, if any, and run without it",
    ),
    TaskDistribution(
        "Walker2dWeak", world="Walker2d", goal="advance", **TRIAL,
        parameters={"motor_strength": Uniform(0.5, 1.2, shape=(6,))},
        ood={"motor_strength": Uniform(0.3, 0.5, shape=(6,))},
        tests="walk with motors of different strengths without a fall",
    ),
    TaskDistribution(
        "HalfCheetahPermuted", **FORWARD,
        parameters={"motor_permutation": Permutation(6, signed=True), "strength": Uniform(0.9, 1.2)},
        ood={"strength": Uniform(0.7, 0.9)},
        tests="identify the effect of each action, out of 46080 signed permutations of the motors",
    ),
    TaskDistribution(
        "HalfCheetahDelay", **FORWARD,
        parameters={"action_delay": Integers(0, 3), "observation_delay": Integers(0, 3)},
        ood={"action_delay": Integers(4, 5), "observation_delay": Integers(4, 5)},
        tests="identify the delays of actions and observations, and act ahead by them",
    ),
    TaskDistribution(
        "HalfCheetahNoise", world="HalfCheetah", goal="velocity", **TRIAL,
        parameters={"velocity": Uniform(0.0, 3.0), "observation_noise": LogUniform(0.02, 0.2)},
        ood={"velocity": Uniform(3.0, 4.0), "observation_noise": LogUniform(0.2, 0.5)},
        tests="hold a hidden velocity with noisy sensors that need averaging over time",
    ),
)  # fmt: skip

CHANGE = (
    TaskDistribution(
        "HalfCheetahDirSwitch", world="HalfCheetah", goal="direction", **TRIAL,
        parameters={
            "direction": Choice((-1.0, 1.0)), "direction_after": Choice((-1.0, 1.0)), "switch_time": SWITCH,
        },
        ood={"switch_time": Union(Integers(20, 59), Integers(141, 180))},
        tests="detect from rewards alone that the direction has changed, and turn around",
    ),
    TaskDistribution(
        "HalfCheetahVelSwitch", world="HalfCheetah", goal="velocity", **TRIAL,
        parameters={"velocity": Uniform(0.0, 3.0), "velocity_after": Uniform(0.0, 3.0), "switch_time": SWITCH},
        ood={"velocity": Uniform(3.0, 4.0), "velocity_after": Uniform(3.0, 4.0)},
        tests="infer a velocity, and detect when it changes",
    ),
    TaskDistribution(
        "PointGoalSwitch", world="PointMass", goal="sparse_place", horizon=60, episodes=3,
        parameters={"place": NORTH, "place_after": NORTH, "switch_time": Integers(25, 35)},
        ood={"place": OUTSIDE_NORTH, "place_after": OUTSIDE_NORTH},
        tests="search twice in an episode, and remember two positions and a switch time",
    ),
    TaskDistribution(
        "ReacherGoalSwitch", world="Reacher", goal="reach", horizon=80, episodes=3,
        parameters={"target": Disc(0.15), "target_after": Disc(0.15), "switch_time": Integers(30, 50)},
        ood={"target": Disc(0.2, inner=0.15), "target_after": Disc(0.2, inner=0.15)},
        tests="triangulate a target from distances, and again after it has moved",
    ),
    TaskDistribution(
        "Walker2dLoad", world="Walker2d", goal="advance", **TRIAL,
        parameters={"payload": Uniform(0.0, 3.0), "payload_after": Uniform(0.0, 3.0), "switch_time": SWITCH},
        ood={"payload": Uniform(3.0, 5.0), "payload_after": Uniform(3.0, 5.0)},
        tests="keep the balance when a payload is added or removed",
    ),
)  # fmt: skip

EXPLORATION = (
    TaskDistribution(
        "CartPoleSign", world="CartPole", goal="balance", horizon=100, episodes=4,
        parameters={"motor_permutation": Permutation(1, signed=True), "strength": LogUniform(0.1, 1.0)},
        ood={"strength": LogUniform(1.0, 2.0)},
        tests="identify the sign of the motor before the pole falls, and remember it",
    ),
    TaskDistribution(
        "PointGoalPermuted", world="PointMass", goal="sparse_place", horizon=50, episodes=3,
        parameters={"place": NORTH, "motor_permutation": Permutation(2, signed=True)},
        ood={"place": OUTSIDE_NORTH},
        tests="identify the effect of each action, then search, and remember both",
    ),
    TaskDistribution(
        "PointGoalWind", world="PointMass", goal="sparse_place", horizon=50, episodes=3,
        parameters={"place": NORTH, "wind": Disc(1.5), "viscosity": Fixed(4.0)},
        ood={"place": OUTSIDE_NORTH, "wind": Disc(2.5, inner=1.5)},
        tests="find and hold a position in a wind of unknown direction",
    ),
    TaskDistribution(
        "PointGoalFar", world="PointMass", goal="sparse_place", horizon=80, episodes=4,
        parameters={"place": Disc(1.5, inner=0.5), "radius": Fixed(0.15)},
        ood={"place": Disc(2.0, inner=1.5)},
        tests="plan a search of an area that is too large to cover twice in three episodes",
    ),
)  # fmt: skip

CHALLENGES = (*IDENTIFICATION, *FAULTS, *CHANGE, *EXPLORATION)
