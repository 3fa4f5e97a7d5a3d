"""What a robot's model is told beforehand changes no contact: beside its MJCF as MuJoCo alone compiles it."""

import mujoco
import numpy as np
import pytest

from metarl import registry
from metarl.envs.perturbations.scaling import Scaling
from metarl.envs.robots.floor_contacts import compiled

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


def runs_alike(ours: mujoco.MjModel, plain: mujoco.MjModel, steps: int, most_contacts: int) -> None:
    a, b = mujoco.MjData(ours), mujoco.MjData(plain)
    random, most = np.random.default_rng(0), 0
    for i in range(steps):
        if i % 100 == 0:
            mujoco.mj_resetData(ours, a)
            mujoco.mj_resetData(plain, b)
            a.qvel[:] = b.qvel[:] = random.normal(size=ours.nv)
        a.ctrl[:] = b.ctrl[:] = random.uniform(-1, 1, ours.nu)
        mujoco.mj_step(ours, a, 5)
        mujoco.mj_step(plain, b, 5)
        np.testing.assert_array_equal(a.qpos, b.qpos)
        np.testing.assert_array_equal(a.qvel, b.qvel)
        np.testing.assert_array_equal(a.contact.geom, b.contact.geom)
        most = max(most, a.ncon)
    assert most >= most_contacts


@pytest.mark.parametrize(("robot", "pairs", "most"), [("HalfCheetah", 8, 3), ("Ant", 13, 4), ("Walker2d", 7, 4)])
def test_a_robot_that_touches_the_floor_alone_moves_as_before(robot, pairs, most):
    world = registry.find("world", robot)
    assert world.model.npair == pairs
    assert not world.model.geom_contype.any()
    runs_alike(world.model, mujoco.MjModel.from_xml_path(str(world.mjcf)), 1000, most)


@pytest.mark.parametrize("robot", ["Hopper", "Humanoid", "Swimmer", "PointMass", "Pendulum", "CartPole", "Reacher"])
def test_others_keep_their_contacts_and_move_as_before(robot):
    world = registry.find("world", robot)
    plain = mujoco.MjModel.from_xml_path(str(world.mjcf))
    assert world.model.npair == 0
    np.testing.assert_array_equal(world.model.geom_contype, plain.geom_contype)
    runs_alike(world.model, plain, 300, 0)


def test_parameters_are_mixed_as_mujoco_mixes_them():
    ours, plain = compiled(mujoco.MjSpec.from_string(walker())), mujoco.MjModel.from_xml_string(walker())
    assert ours.npair == 2
    runs_alike(ours, plain, 400, 3)
    a, b = mujoco.MjData(ours), mujoco.MjData(plain)
    for model, data in ((ours, a), (plain, b)):
        data.qpos[2] = 0.04
        mujoco.mj_forward(model, data)
    assert a.ncon == b.ncon >= 5
    for field in ("dim", "friction", "solref", "solimp", "includemargin", "dist", "pos", "frame"):
        np.testing.assert_array_equal(getattr(a.contact, field), getattr(b.contact, field), err_msg=field)


@pytest.mark.parametrize(
    "changed",
    [
        walker(first=""),  # a pair must be named
        walker(floor='priority="1"'),  # the floor's parameters hold alone
        walker(world='<geom name="wall" type="plane" size="9 9 1" zaxis="1 0 0" pos="-5 0 0"/>'),
        walker(world='<geom name="step" type="box" size="1 1 0.01"/>'),
        walker(second='contype="2" conaffinity="1"'),  # which collides with the other link
        walker(rest='<contact><exclude body1="world" body2="b"/></contact>'),
        walker(rest='<contact><pair geom1="floor" geom2="b" friction="2 2 1 1 1"/></contact>'),
        walker(world=BALL),
    ],
    ids=["unnamed", "priority", "two planes", "a step", "self-contact", "exclusion", "own pair", "another body"],
)  # fmt: skip
def test_what_it_is_not_sure_of_it_leaves_alone(changed):
    ours, plain = compiled(mujoco.MjSpec.from_string(changed)), mujoco.MjModel.from_xml_string(changed)
    assert ours.npair == plain.npair
    np.testing.assert_array_equal(ours.geom_contype, plain.geom_contype)
    np.testing.assert_array_equal(ours.geom_conaffinity, plain.geom_conaffinity)


def test_several_trees_keep_their_islands():
    two = walker(
        world='<body name="ball" pos="1 0 1"><freejoint/><geom name="ball" size="0.1" conaffinity="1"/></body>'
    )
    assert compiled(mujoco.MjSpec.from_string(two)).opt.disableflags == 0
    assert compiled(mujoco.MjSpec.from_string(walker())).opt.disableflags == int(mujoco.mjtDisableBit.mjDSBL_ISLAND)


def test_what_changes_contacts_otherwise_gets_the_model_as_written():
    robot = registry.find("world", "Ant")
    slip = Scaling("slip", ("geom_friction",), "factor on friction that knows nothing of pairs")
    assert robot.model_under([slip]).npair == 0
    assert robot.model_under([registry.find("perturbation", "friction")]).npair == 13
    assert robot.model_under([]) is robot.model


def test_sleep_keeps_its_islands_and_adhesion_its_contacts():
    asleep = walker(rest='<option><flag sleep="enable"/></option>')
    assert compiled(mujoco.MjSpec.from_string(asleep)).opt.disableflags == 0
    assert compiled(mujoco.MjSpec.from_string(walker(floor='adhesion="5"'))).npair == 0
