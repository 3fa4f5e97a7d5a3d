"""Limb lengths, against models compiled from an MJCF with these lengths."""

import mujoco
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import metarl
from metarl import registry
from metarl.envs.perturbations.limb_lengths import find_limbs
from metarl.envs.robots.robot import Robot
from metarl.tasks.samplers import Uniform

LEG = """
<mujoco>
  <compiler angle="radian"/>
  <option timestep="0.005"/>
  <worldbody>
    <geom name="floor" type="plane" size="9 9 9"/>
    <body name="torso" pos="0 0 1.6">
      <joint name="x" type="slide" axis="1 0 0"/><joint name="z" type="slide" axis="0 0 1"/>
      <joint name="pitch" axis="0 1 0"/>
      <geom type="box" size="0.2 0.1 0.1" density="500"/>
      <body name="thigh" pos="0.05 0 -0.1" euler="0 0.3 0">
        <joint name="hip" axis="0 1 0" range="-1 1" limited="true" damping="1"/>
        <geom type="capsule" fromto="0 0 0 0 0 {thigh:.17g}" size="0.05"/>
        <body name="shin" pos="0 0 {shin_pos:.17g}">
          <joint name="knee" axis="0 1 0" pos="0 0 0.3" damping="1"/>
          <geom type="capsule" fromto="0 0 {shin_top:.17g} 0 0 {shin_bottom:.17g}" size="0.04"/>
          <site name="ankle" pos="0 0 {ankle:.17g}"/>
          <body name="foot" pos="0 0 {foot_pos:.17g}">
            <joint name="ankle" axis="0 1 0" damping="1"/>
            <geom type="capsule" pos="{foot:.17g} 0 0" axisangle="0 1 0 1.5707963267948966" size="0.03 {half:.17g}"/>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="hip" gear="20" ctrlrange="-1 1"/><motor joint="knee" gear="20" ctrlrange="-1 1"/>
  </actuator>
</mujoco>
"""


def leg(thigh: float, shin: float, foot: float) -> str:
    """Return an MJCF with stretched limbs; the knee's anchor is not the shin's origin, as in Hopper."""
    top = 0.3  # the knee in the shin's frame, the fixed point of the stretch
    return LEG.format(
        thigh=-0.5 * thigh,
        shin_pos=-0.5 * thigh - 0.3,
        shin_top=top,
        shin_bottom=top - 0.6 * shin,
        ankle=top - 0.55 * shin,
        foot_pos=top - 0.6 * shin,
        foot=0.08 * foot,
        half=0.1 * foot,
    )


@pytest.fixture
def robot():
    class Leg(Robot):
        """A torso with one leg."""

        name = "TestLeg"
        mjcf = leg(1, 1, 1)
        frame_skip = 4
        observation_parts = {"position": lambda p: p.qpos, "velocity": lambda p: p.qvel}
        observation = ("position", "velocity")

    metarl.register(Leg)
    return registry.find("world", "TestLeg")


def test_find_limbs_returns_the_bodies_of_one_capsule(robot):
    assert [robot.model.body(b).name for b in find_limbs(robot.model).body] == ["thigh", "shin", "foot"]
    cheetah = registry.find("world", "HalfCheetah").model
    assert [cheetah.body(b).name for b in find_limbs(cheetah).body] == [
        "back_thigh", "back_shin", "back_foot", "front_thigh", "front_shin", "front_foot",
    ]  # fmt: skip
    assert registry.find("world", "PointMass").perturbed()
    assert "limb_lengths" not in [p.name for p in registry.find("world", "PointMass").perturbed()]


def test_stretched_leg_moves_like_a_compiled_one(make_distribution, assert_moves_like, assert_neutral, robot):
    def edit(model, task):
        return mujoco.MjModel.from_xml_string(leg(*task["limb_lengths"]))

    d = make_distribution({"limb_lengths": Uniform(0.6, 1.6, shape=(3,))}, world="TestLeg")
    assert_moves_like(d, edit, tol=1e-9, steps=38)
    assert_neutral(d)


FIELDS = (
    "body_pos", "body_ipos", "body_mass", "body_subtreemass", "geom_pos", "geom_size", "geom_rbound", "geom_aabb",
    "jnt_pos", "site_pos", "dof_invweight0", "body_invweight0", "dof_M0",
)  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.floats(0.3, 3.0), min_size=3, max_size=3))
def test_fields_equal_those_of_a_compiled_model(lengths):
    compiled = mujoco.MjModel.from_xml_string(leg(*lengths))

    class Leg(Robot):
        name = "TestLeg"
        mjcf = leg(1, 1, 1)
        frame_skip = 4
        observation_parts = {"position": lambda p: p.qpos}
        observation = ("position",)

    world = Leg()
    registry._registered["world"]["TestLeg"] = world
    d = metarl.TaskDistribution(
        "TestLengths", world="TestLeg", goal="velocity",
        parameters={"velocity": metarl.Fixed(1.0), "limb_lengths": Uniform(0.3, 3.0, shape=(3,))},
    )  # fmt: skip
    env = d.make()
    env.begin({"velocity": 1.0, "limb_lengths": lengths})
    physics = env.environment.simulation.physics  # type: ignore[attr-defined]
    for name in FIELDS:
        ours, theirs = physics.field(name)[0].numpy(), getattr(compiled, name)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12, err_msg=name)
    for body in range(1, compiled.nbody):  # the order of principal inertias may differ
        ours = np.sort(physics.field("body_inertia")[0, body].numpy())
        np.testing.assert_allclose(ours, np.sort(compiled.body_inertia[body]), rtol=1e-9)


def test_stretched_half_cheetah_moves_like_a_compiled_one(make_distribution, assert_moves_like):
    """The reference lets MuJoCo compute mass and inertia of the stretched capsules from the density."""
    path = registry.find("world", "HalfCheetah").mjcf
    names = ["back_thigh", "back_shin", "back_foot", "front_thigh", "front_shin", "front_foot"]

    def edit(model, task):
        spec = mujoco.MjSpec.from_file(str(path))
        shin = spec.geom("back_shin").size
        volume = np.pi * shin[0] ** 2 * (2 * shin[1] + 4 / 3 * shin[0])
        for geom in spec.geoms:  # all geoms have the same density
            geom.density = model.body("back_shin").mass[0] / volume
        for name, factor in zip(names, task["limb_lengths"], strict=True):
            geom = spec.geom(name)
            geom.pos, geom.size = geom.pos * factor, [geom.size[0], geom.size[1] * factor, 0]
            for child in spec.body(name).bodies:
                child.pos = child.pos * factor
        spec.compiler.inertiafromgeom = mujoco.mjtInertiaFromGeom.mjINERTIAFROMGEOM_TRUE
        return spec.compile()

    d = make_distribution({"limb_lengths": Uniform(0.8, 1.2, shape=(6,))})
    assert_moves_like(d, edit, tol=1e-7, steps=20)


def test_length_zero_raises(make_distribution):
    d = make_distribution({"limb_lengths": Uniform(0.8, 1.2, shape=(6,))})
    with pytest.raises(metarl.MetarlError, match=r"limb_lengths.*too low"):
        d.make().begin({"velocity": 1.0, "limb_lengths": torch.zeros(6).numpy()})
