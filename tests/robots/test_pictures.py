"""Every robot is in its picture, and the camera follows those that run away; skipped where no OpenGL library draws."""

import numpy as np
import pytest

from metarl.errors import MetarlError

MOVES = {"Ant": 2, "HalfCheetah": 1, "Hopper": 1, "Humanoid": 2, "Swimmer": 2, "Walker2d": 1}  # along as many axes
STAYS = ("CartPole", "Pendulum", "PointMass", "Reacher")


def picture(env) -> np.ndarray:
    """int [200, 200, 3]"""
    try:
        return env.render(0, 200, 200).astype(int)
    except MetarlError as error:
        pytest.skip(str(error))


def robot_pixels(env) -> int:
    """Those of the robot's own colours: much more red than blue."""
    drawn = picture(env)
    return int((drawn[..., 0] - drawn[..., 2] > 60).sum())


@pytest.mark.parametrize("robot", [*MOVES, *STAYS])
def test_a_robot_is_seen_wherever_it_is(robot, make):
    env = make(robot, "advance", {})
    near = robot_pixels(env)
    assert 20 < near < 20_000
    env.simulation.physics.qpos[:, : MOVES.get(robot, 0)] += 7.0
    np.testing.assert_allclose(robot_pixels(env), near, rtol=0.05)
    env.close()


@pytest.mark.parametrize("place", [(3.0, 0.0), (-3.0, 0.0), (0.0, 3.0), (0.0, -3.0)])
@pytest.mark.parametrize(("robot", "goal", "parameter"), [("Ant", "place", "place"), ("Swimmer", "reach", "target")])
def test_a_goal_is_in_the_picture_with_its_robot(place, robot, goal, parameter, make):
    env = make(robot, goal, {parameter: place})
    drawn = picture(env)
    assert ((drawn[..., 1] - drawn[..., 0] > 40) & (drawn[..., 1] - drawn[..., 2] > 15)).sum() >= 4  # a green ball
    assert robot_pixels(env) > 20
    env.close()
