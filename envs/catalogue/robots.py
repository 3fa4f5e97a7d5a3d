"""The established distributions of meta-RL over robots, as defined by papers and their public code.

If a published distribution has a fault, the distribution without a suffix corrects it and the one named Classic keeps
it.
"""

from __future__ import annotations

from math import pi
from typing import Any

from metarl.tasks.samplers import Arc, Choice, Disc, LogUniform, Uniform, Union
from metarl.tasks.task_distribution import TaskDistribution

TRIAL: dict[str, Any] = {"horizon": 200, "episodes": 2}


def factors(base: float, shape: tuple[int, ...]) -> LogUniform:
    """Return the sampler of base^u, u ~ U(-3, 3), for each element."""
    return LogUniform(base**-3, base**3, shape=shape)


def beyond(base: float, shape: tuple[int, ...]) -> Union:
    """Return the sampler of base^u for each element, with all u in (3, 4.5) or all u in (-4.5, -3)."""
    return LogUniform(base**-4.5, base**-3, shape=shape) | LogUniform(base**3, base**4.5, shape=shape)


RUNNERS = (
    TaskDistribution(
        "HalfCheetahDir", world="HalfCheetah", goal="direction", **TRIAL,
        parameters={"direction": Choice((-1.0, 1.0))},
        tests="infer one of two directions within a few steps and run",
    ),
    TaskDistribution(
        "HalfCheetahDirH100", world="HalfCheetah", goal="direction", horizon=100, episodes=2,
        parameters={"direction": Choice((-1.0, 1.0))},
        tests="solve HalfCheetahDir in episodes of 100 steps, as in work on MAML",
    ),
    TaskDistribution(
        "HalfCheetahVel", world="HalfCheetah", goal="velocity", **TRIAL,
        parameters={"velocity": Uniform(0.0, 3.0)},
        ood={"velocity": Uniform(3.0, 4.0)},
        tests="infer a velocity from rewards and hold it",
    ),
    TaskDistribution(
        "HalfCheetahVelClassic", world="HalfCheetah", goal="velocity", **TRIAL,
        parameters={"velocity": Uniform(0.0, 2.0)},  # the code of Finn et al. 2017; later code uses U(0, 3)
        ood={"velocity": Uniform(2.0, 3.0)},
        tests="solve HalfCheetahVel in the range of the first published code",
    ),
    TaskDistribution(
        "AntDir", world="Ant", goal="direction2d", **TRIAL,
        parameters={"angle": Choice((0.0, pi))},
        tests="infer one of two directions on four legs, and run without a fall",
    ),
    TaskDistribution(
        "AntDir2D", world="Ant", goal="direction2d", **TRIAL,
        parameters={"angle": Uniform(0.0, 2 * pi)},  # all directions, so that there is no ood split
        tests="infer a direction in the plane and run along it",
    ),
    TaskDistribution(
        "AntVel", world="Ant", goal="velocity", **TRIAL,
        parameters={"velocity": Uniform(0.0, 3.0)},
        ood={"velocity": Uniform(3.0, 4.0)},
        settings={"weights": {"control": 0.005, "alive": 1.05}},
        tests="infer a velocity on four legs, and hold it",
    ),
    TaskDistribution(
        "AntGoal", world="Ant", goal="place", **TRIAL,
        parameters={"place": Disc(3.0)},
        ood={"place": Disc(4.5, inner=3.0)},
        settings={
            "observation": ("place", "position", "velocity"), "weights": {"control": 0.1, "alive": 0.0},
            "fall_ends": False,
        },
        tests="infer a position from distances, and walk to it",
    ),
    TaskDistribution(
        "HumanoidDir", world="Humanoid", goal="direction2d", **TRIAL,
        parameters={"angle": Uniform(0.0, 2 * pi)},
        settings={"weights": {"direction": 1.25}},
        tests="infer a direction with a robot that is hard to keep upright",
    ),
    TaskDistribution(
        "SwimmerVel", world="Swimmer", goal="velocity", **TRIAL,
        parameters={"velocity": Uniform(0.1, 0.2)},
        ood={"velocity": Uniform(0.2, 0.3)},
        tests="infer a velocity that oscillates with every stroke",
    ),
)  # fmt: skip

# An env step is 0.016 s, as in the public code: eight physics steps of Gymnasium's models, where the code had four.
SLOW: dict[str, Any] = {"settings": {"frame_skip": 8}}
HOPPER: dict[str, Any] = {"world": "Hopper", "goal": "advance", **TRIAL, **SLOW}
WALKER2D: dict[str, Any] = {"world": "Walker2d", "goal": "advance", **TRIAL, **SLOW}

RANDOM_PARAMETERS = (
    TaskDistribution(
        "HopperRandParams", **HOPPER,
        parameters={
            "body_mass_scale": factors(1.5, (4,)), "dof_damping_scale": factors(1.3, (6,)),
            "geom_friction_scale": factors(1.5, (5,)),
        },
        ood={"body_mass_scale": beyond(1.5, (4,))},
        tests="identify masses, damping and friction of a hopper without a fall",
    ),
    TaskDistribution(
        "Walker2dRandParams", **WALKER2D,
        parameters={
            "body_mass_scale": factors(1.5, (7,)), "dof_damping_scale": factors(1.3, (9,)),
            "geom_friction_scale": factors(1.5, (8,)),
        },
        ood={"body_mass_scale": beyond(1.5, (7,))},
        tests="identify masses, damping and friction of a walker without a fall",
    ),
    TaskDistribution(
        "HopperRandParamsClassic", **HOPPER,
        parameters={
            "classic_mass_scale": factors(1.5, (4,)), "classic_inertia_scale": factors(1.5, (4, 3)),
            "dof_damping_scale": factors(1.3, (6,)), "classic_friction_scale": factors(1.5, (5, 3)),
        },
        ood={"classic_mass_scale": beyond(1.5, (4,))},
        tests="solve HopperRandParams with the published sampler, whose inertias are physically impossible",
    ),
    TaskDistribution(
        "Walker2dRandParamsClassic", **WALKER2D,
        parameters={
            "classic_mass_scale": factors(1.5, (7,)), "classic_inertia_scale": factors(1.5, (7, 3)),
            "dof_damping_scale": factors(1.3, (9,)), "classic_friction_scale": factors(1.5, (8, 3)),
        },
        ood={"classic_mass_scale": beyond(1.5, (7,))},
        tests="solve Walker2dRandParams with the published sampler, whose inertias are physically impossible",
    ),
)  # fmt: skip

SMALL = (
    TaskDistribution(
        "PendulumMass", world="Pendulum", goal="swing_up", **TRIAL,
        parameters={"mass": Uniform(0.5, 2.0)},
        ood={"mass": Uniform(0.25, 0.5) | Uniform(2.0, 3.0)},
        tests="identify the mass of a rod and swing it up with a limited torque",
    ),
    TaskDistribution(
        "CartPoleParams", world="CartPole", goal="balance", **TRIAL,
        parameters={"body_mass_scale": LogUniform(0.3, 3.0, shape=(2,)), "strength": LogUniform(0.1, 1.0)},
        ood={"strength": LogUniform(0.03, 0.1)},
        tests="identify the strength of the motor before the pole falls",
    ),
    TaskDistribution(
        "ReacherGoal", world="Reacher", goal="reach", horizon=50, episodes=4,
        parameters={"target": Disc(0.2)},
        ood={"target": Disc(0.21, inner=0.2)},
        tests="find a target that is not observed from its distance",
    ),
    TaskDistribution(
        "PointGoalSparse", world="PointMass", goal="sparse_place", horizon=40, episodes=3,
        parameters={"place": Arc(1.0, 0.0, pi)},
        ood={"place": Union(Arc(1.0, -pi / 6, 0.0), Arc(1.0, pi, 7 * pi / 6))},
        tests="search without rewards, remember the goal, and return to it directly",
    ),
)  # fmt: skip

ROBOTS = (*RUNNERS, *RANDOM_PARAMETERS, *SMALL)
