"""Mistakes in robots and in task distributions over them: each raises an error that names the cure."""

from pathlib import Path

import pytest

import metarl
from metarl.envs.robots.robot import Robot
from metarl.errors import MetarlError
from metarl.tasks.samplers import Disc, Fixed, Uniform

VALID = {"world": "HalfCheetah", "goal": "velocity", "parameters": {"velocity": Uniform(0.0, 1.0)}}
MISTAKES = {
    "mass 0": ({"parameters": {"mass": Fixed(0.0)}}, r"'mass', task 0: 0.0 is too low; it must lie in \[0.001, 1000\]"),
    "mass below 0": ({"parameters": {"body_mass_scale[torso]": Fixed(-1.0)}}, "is too low"),
    "no such body": ({"parameters": {"body_mass_scale[tail]": Fixed(1.0)}}, "'tail'. Known: back_foot, back_shin"),
    "no such motor": ({"parameters": {"dead_motor": Fixed(6)}}, r"6 is too high; it must lie in \[-1, 5\]"),
    "no such parameter": ({"parameters": {"frictoin": Fixed(1.0)}}, "did you mean 'friction'"),
    "another goal's parameter": ({"goal": "direction"}, "goal direction.*'velocity'. Known: .*direction"),
    "no such goal": ({"goal": "velocty"}, "unknown goal 'velocty'; did you mean 'velocity'"),
    "no such world": ({"world": "HalfCheeta"}, "unknown world 'HalfCheeta'; did you mean 'HalfCheetah'"),
    "a plane for a line": (
        {"goal": "place", "parameters": {"place": Disc(1.0)}},
        "needs a robot that moves in a plane",
    ),
    "no such part": ({"settings": {"observation": ("velocty",)}}, "did you mean 'velocity'"),
    "no such term": ({"settings": {"weights": {"contrl": 1.0}}}, "did you mean 'control'"),
    "no such setting": ({"settings": {"frameskip": 1}}, "did you mean 'frame_skip'"),
}


@pytest.mark.parametrize(("change", "message"), MISTAKES.values(), ids=MISTAKES)
def test_invalid_distribution_raises(change, message):
    with pytest.raises(MetarlError, match=message):
        metarl.TaskDistribution("TestMistake", **{**VALID, **change}).validate()


@pytest.mark.parametrize("settings", [{"observation": ("velocty",)}, {"frameskip": 1}, {"weights": {"contrl": 1.0}}])
def test_make_checks_the_settings(settings):
    with pytest.raises(MetarlError, match="did you mean"):
        metarl.TaskDistribution("TestMistake", settings=settings, **VALID).make()


class RobotWithoutMjcf(Robot):
    name = "TestLost"
    frame_skip = 1
    observation_parts = {"position": lambda p: p.qpos}
    observation = ("position",)


@pytest.mark.parametrize("mjcf", [Path("nowhere/robot.xml"), "nowhere/robot.xml"])
def test_missing_mjcf_raises_with_its_path(mjcf):
    class Robot(RobotWithoutMjcf):
        pass

    Robot.mjcf = mjcf
    metarl.register(Robot)
    with pytest.raises(MetarlError, match=r"'TestLost' has no MJCF at /.*nowhere/robot.xml: give the XML itself"):
        metarl.TaskDistribution("TestMistake", **{**VALID, "world": "TestLost"}).validate()


def test_invalid_mjcf_raises_with_the_reason():
    class Robot(RobotWithoutMjcf):
        mjcf = "<mujoco><worldbody><body><geom/></body></worldbody></mujoco>"

    metarl.register(Robot)
    with pytest.raises(MetarlError, match="the MJCF of the robot 'TestLost' does not compile: Error: size 0 must be"):
        metarl.TaskDistribution("TestMistake", **{**VALID, "world": "TestLost"}).validate()
