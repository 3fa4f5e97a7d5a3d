"""Pictures of all robots, which must be visible at any position; skipped without a working OpenGL library."""

import numpy as np
import pytest

from metarl.errors import MetarlError

MOBILE = {"Ant": 2, "HalfCheetah": 1, "Hopper": 1, "Humanoid": 2, "Swimmer": 2, "Walker2d": 1}  # robot -> axes
STATIONARY = ("CartPole", "Pendulum", "PointMass", "Reacher")


def picture(env) -> np.ndarray:
    """Render the first environment, int [200, 200, 3]."""
    try:
        return env.render(0, 200, 200).astype(int)
    except MetarlError as error:
        pytest.skip(str(error))


def robot_pixels(env) -> int:
    """Count the pixels in the robot's colours, which have much more red than blue."""
    image = picture(env)
    return int((image[..., 0] - image[..., 2] > 60).sum())


@pytest.mark.parametrize("robot", [*MOBILE, *STATIONARY])
def test_camera_follows_the_robot(robot, make):
    env = make(robot, "advance", {})
    at_origin = robot_pixels(env)
    assert 20 < at_origin < 20_000
    env.simulation.physics.qpos[:, : MOBILE.get(robot, 0)] += 7.0
    np.testing.assert_allclose(robot_pixels(env), at_origin, rtol=0.05)
    env.close()


@pytest.mark.parametrize("place", [(3.0, 0.0), (-3.0, 0.0), (0.0, 3.0), (0.0, -3.0)])
@pytest.mark.parametrize(("robot", "goal", "parameter"), [("Ant", "place", "place"), ("Swimmer", "reach", "target")])
def test_goal_and_robot_are_both_in_the_picture(place, robot, goal, parameter, make):
    env = make(robot, goal, {parameter: place})
    image = picture(env)
    assert ((image[..., 1] - image[..., 0] > 40) & (image[..., 1] - image[..., 2] > 15)).sum() >= 4  # a green ball
    assert robot_pixels(env) > 20
    env.close()
