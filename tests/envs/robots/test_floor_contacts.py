"""Explicit floor contacts against the model that MuJoCo compiles from the MJCF: all contacts are the same."""

import mujoco
import numpy as np
import pytest

from metarl import registry
from metarl.envs.perturbations.scaling import Scaling
from metarl.envs.robots.floor_contacts import compile_with_floor_pairs

WALKER = """
<mujoco>
  <worldbody>
    <geom name="floor" type="plane" size="9 9 1" friction="0.3 0.2 0.1" margin="0.01" {floor}/>
    {world}
    <body name="a" pos="0 0 0.3">
      <freejoint/>
      <geom {first} type="box" size="0.1 0.2 0.05" conaffinity="0" condim="4" margin="0.02" solimp="0.5 0.9 0.01"/>
      <body name="b" pos="0.3 0 0">
        <joint type="hinge" axis="0 1 0"/>
        <geom name="b" type="capsule" size="0.05 0.1" friction="0.7 0.1 0.3" solref="0.05 1" {second}/>
      </body>
    </body>
  </worldbody>
  {rest}
</mujoco>
"""

BALL = '<body name="ball" pos="1 0 1"><freejoint/><geom name="ball" size="0.1" conaffinity="1"/></body>'


def walker(floor="", world="", first='name="a"', second='conaffinity="0"', rest=""):
    return WALKER.format(floor=floor, world=world, first=first, second=second, rest=rest)


def with_pairs(xml: str) -> mujoco.MjModel:
    return compile_with_floor_pairs(mujoco.MjSpec.from_string(xml))


def assert_same_motion(paired: mujoco.MjModel, plain: mujoco.MjModel, steps: int, min_contacts: int) -> None:
    """Compare trajectories under random actions; some state must have at least `min_contacts` contacts."""
    a, b = mujoco.MjData(paired), mujoco.MjData(plain)
    random, contacts = np.random.default_rng(0), 0
    for i in range(steps):
        if i % 100 == 0:
            mujoco.mj_resetData(paired, a)
            mujoco.mj_resetData(plain, b)
            a.qvel[:] = b.qvel[:] = random.normal(size=paired.nv)
        a.ctrl[:] = b.ctrl[:] = random.uniform(-1, 1, paired.nu)
        mujoco.mj_step(paired, a, 5)
        mujoco.mj_step(plain, b, 5)
        np.testing.assert_array_equal(a.qpos, b.qpos)
        np.testing.assert_array_equal(a.qvel, b.qvel)
        np.testing.assert_array_equal(a.contact.geom, b.contact.geom)
        contacts = max(contacts, a.ncon)
    assert contacts >= min_contacts


@pytest.mark.parametrize(("robot", "pairs", "contacts"), [("HalfCheetah", 8, 3), ("Ant", 13, 4), ("Walker2d", 7, 4)])
def test_robot_with_floor_pairs_moves_as_without(robot, pairs, contacts):
    world = registry.find("world", robot)
    assert world.model.npair == pairs
    assert not world.model.geom_contype.any()
    assert_same_motion(world.model, mujoco.MjModel.from_xml_path(str(world.mjcf)), 1000, contacts)


@pytest.mark.parametrize("robot", ["Hopper", "Humanoid", "Swimmer", "PointMass", "Pendulum", "CartPole", "Reacher"])
def test_other_robots_keep_their_contact_flags(robot):
    world = registry.find("world", robot)
    plain = mujoco.MjModel.from_xml_path(str(world.mjcf))
    assert world.model.npair == 0
    np.testing.assert_array_equal(world.model.geom_contype, plain.geom_contype)
    assert_same_motion(world.model, plain, 300, 0)


def test_contact_parameters_are_mixed_from_the_geoms():
    paired, plain = with_pairs(walker()), mujoco.MjModel.from_xml_string(walker())
    assert paired.npair == 2
    assert_same_motion(paired, plain, 400, 3)
    a, b = mujoco.MjData(paired), mujoco.MjData(plain)
    for model, data in ((paired, a), (plain, b)):
        data.qpos[2] = 0.04
        mujoco.mj_forward(model, data)
    assert a.ncon == b.ncon >= 5
    for field in ("dim", "friction", "solref", "solimp", "includemargin", "dist", "pos", "frame"):
        np.testing.assert_array_equal(getattr(a.contact, field), getattr(b.contact, field), err_msg=field)


@pytest.mark.parametrize(
    "changed",
    [
        walker(first=""),  # a pair must be named
        walker(floor='priority="1"'),  # only the floor's parameters apply
        walker(world='<geom name="wall" type="plane" size="9 9 1" zaxis="1 0 0" pos="-5 0 0"/>'),
        walker(world='<geom name="step" type="box" size="1 1 0.01"/>'),
        walker(second='contype="2" conaffinity="1"'),  # collides with the other link
        walker(rest='<contact><exclude body1="world" body2="b"/></contact>'),
        walker(rest='<contact><pair geom1="floor" geom2="b" friction="2 2 1 1 1"/></contact>'),
        walker(world=BALL),
    ],
    ids=["unnamed", "priority", "two planes", "a step", "self-contact", "exclusion", "own pair", "another body"],
)  # fmt: skip
def test_model_with_other_possible_contacts_is_unchanged(changed):
    ours, plain = with_pairs(changed), mujoco.MjModel.from_xml_string(changed)
    assert ours.npair == plain.npair
    np.testing.assert_array_equal(ours.geom_contype, plain.geom_contype)
    np.testing.assert_array_equal(ours.geom_conaffinity, plain.geom_conaffinity)


def test_islands_are_disabled_only_for_a_single_tree():
    assert with_pairs(walker(world=BALL)).opt.disableflags == 0
    assert with_pairs(walker()).opt.disableflags == int(mujoco.mjtDisableBit.mjDSBL_ISLAND)


def test_perturbation_of_geoms_alone_uses_the_model_without_pairs():
    robot = registry.find("world", "Ant")
    slip = Scaling("slip", ("geom_friction",), "factor on the friction of geoms and not of pairs")
    assert robot.model_for([slip]).npair == 0
    assert robot.model_for([registry.find("perturbation", "friction")]).npair == 13
    assert robot.model_for([]) is robot.model


def test_sleep_keeps_islands_and_adhesion_keeps_contacts():
    sleep = walker(rest='<option><flag sleep="enable"/></option>')
    assert with_pairs(sleep).opt.disableflags == 0
    assert with_pairs(walker(floor='adhesion="5"')).npair == 0
