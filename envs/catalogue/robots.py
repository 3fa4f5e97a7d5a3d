"""The robots' distributions."""

from __future__ import annotations

from math import pi

from metarl.distribution import TaskDistribution
from metarl.laws import Arc, Choice, Uniform, Union

ROBOTS = (
    TaskDistribution(
        "HalfCheetahDir", world="HalfCheetah", goal="direction",
        parameters={"direction": Choice((-1.0, 1.0))},
        horizon=200, episodes=2,
        tests="tell one of two tasks apart within a few steps and run",
    ),
    TaskDistribution(
        "HalfCheetahDirH100", world="HalfCheetah", goal="direction",
        parameters={"direction": Choice((-1.0, 1.0))},
        horizon=100, episodes=2,
        tests="the same in episodes of 100 steps, as the MAML line of work plays it",
    ),
    TaskDistribution(
        "HalfCheetahVel", world="HalfCheetah", goal="velocity",
        parameters={"velocity": Uniform(0.0, 3.0)},
        ood={"velocity": Uniform(3.0, 4.0)},
        horizon=200, episodes=2,
        tests="infer a number from rewards and hold it",
    ),
    TaskDistribution(
        "PointGoalSparse", world="PointMass", goal="sparse_place",
        parameters={"place": Arc(1.0, 0.0, pi)},
        ood={"place": Union(Arc(1.0, -pi / 6, 0.0), Arc(1.0, pi, 7 * pi / 6))},
        horizon=40, episodes=3,
        tests="search without any reward, remember where it was felt, go straight back",
    ),
)  # fmt: skip
