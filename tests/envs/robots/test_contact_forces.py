"""Contact forces: the costs of Ant and Humanoid, and the MuJoCo stage that is computed."""

import re

import mujoco
import numpy as np
import pytest
import torch

from metarl.envs.physics import make_physics
from metarl.errors import MetarlError

NONE, VEL, ACC = (int(getattr(mujoco.mjtStage, f"mjSTAGE_{name}")) for name in ("NONE", "VEL", "ACC"))
BLOCK = """
<mujoco>
  <worldbody>
    <geom type="plane" size="1 1 1"/>
    <body name="block" pos="0 0 0.1"><freejoint/><geom type="box" size="0.1 0.1 0.1" mass="2"/></body>
  </worldbody>
  <sensor><framelinacc objtype="body" objname="block"/></sensor>
</mujoco>"""


def ant_cost(forces):
    return 5e-4 * (forces.clip(-1, 1) ** 2).sum()


def humanoid_cost(forces):
    return min(5e-7 * (forces**2).sum(), 10)


@pytest.mark.parametrize(("robot", "cost"), [("Ant", ant_cost), ("Humanoid", humanoid_cost)])
def test_contact_cost_uses_the_forces_after_the_step(robot, cost, twins, make):
    twin = twins[robot]
    env = make(robot, "direction2d", {"angle": 0.0})
    theirs, has_contact = twin.theirs(env.simulation.physics), set()
    for action in twin.actions(60):
        env.step(torch.from_numpy(action)[None])
        theirs.step(twin.scale * action.astype(np.float64))
        expected = cost(twin.current_data(theirs).cfrc_ext)
        np.testing.assert_allclose(env.reward_terms["contact"][0], -expected, rtol=1e-5, atol=1e-9)
        has_contact.add(expected > 0)
    assert has_contact == {True, False} or robot == "Humanoid"


def test_computing_forces_does_not_change_the_trajectory(make):
    with_forces = make("Ant", "velocity", {"velocity": 1.0}, num_envs=2)
    without = make("Ant", "velocity", {"velocity": 1.0}, num_envs=2, weights={"contact": 0.0})
    has_cost = False
    for action in torch.rand(60, 2, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1:
        a, b = with_forces.step(action), without.step(action)
        assert torch.equal(a.obs, b.obs)
        has_cost |= bool(with_forces.reward_terms["contact"].any())
    assert has_cost
    assert "contact" not in without.reward_terms


def test_batched_forces_equal_those_of_single_simulations(make):
    """Without an acceleration sensor in the MJCF, MuJoCo would leave the forces of another simulation."""
    settings = {"observation": ("contact", "velocity")}
    batched = make("Ant", "velocity", {"velocity": 1.0}, num_envs=3, **settings)
    singles = [make("Ant", "velocity", {"velocity": 1.0}, **settings) for _ in range(3)]
    for i, env in enumerate(singles):
        env.simulation.physics.qpos.copy_(batched.simulation.physics.qpos[i : i + 1])
        env.simulation.physics.qvel.copy_(batched.simulation.physics.qvel[i : i + 1])
    for action in torch.rand(40, 3, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1:
        step = batched.step(action)
        for i, env in enumerate(singles):
            single = env.step(action[i : i + 1])
            assert torch.equal(step.obs[i], single.obs[0])
            assert torch.equal(step.reward[i], single.reward[0])


@pytest.mark.parametrize(
    ("robot", "settings", "stage"),
    [
        ("Ant", {}, ACC),
        ("Ant", {"weights": {"contact": 0.0}}, NONE),
        ("Ant", {"weights": {"contact": 0.0}, "observation": ("velocity", "contact")}, ACC),
        ("Humanoid", {"weights": {"contact": 0.0}}, VEL),
        ("Humanoid", {"weights": {"contact": 0.0}, "observation": ("position", "torque")}, ACC),
        ("Hopper", {}, NONE),
    ],
)
def test_computed_stage_depends_on_the_fields_in_use(robot, settings, stage, make):
    assert make(robot, "velocity", {"velocity": 1.0}, **settings).simulation.physics.stage == stage


def test_reset_computes_the_forces_of_the_start_state(make):
    env = make("Ant", "velocity", {"velocity": 1.0}, num_envs=2, observation=("contact",))
    for _ in range(39):
        env.step(torch.zeros(2, 8))
    lying = env.step(torch.zeros(2, 8)).obs
    assert lying.abs().sum(1).min() > 0
    after = env.reset(torch.tensor([True, False]))  # the start state is in the air
    assert after[0].abs().sum() == 0
    assert torch.equal(after[1], lying[1])


def test_forces_without_a_sensor_raise():
    model = mujoco.MjModel.from_xml_string(re.sub("<sensor>.*</sensor>", "", BLOCK))
    make_physics(model, 1, 1, torch.device("cpu"), derived=("xpos", "qacc"))
    with pytest.raises(MetarlError, match=r"leaves cfrc_ext empty .* add <sensor><framelinacc"):
        make_physics(model, 1, 1, torch.device("cpu"), derived=("xpos", "cfrc_ext"))


def test_contact_force_of_a_block_at_rest_equals_its_weight():
    physics = make_physics(mujoco.MjModel.from_xml_string(BLOCK), 2, 5, torch.device("cpu"), derived=("cfrc_ext",))
    for _ in range(200):
        physics.step(torch.tensor([True, False]))
    forces = physics.data("cfrc_ext")[:, 1]  # torques, then forces, in the world frame
    np.testing.assert_allclose(forces[0], [0, 0, 0, 0, 0, 2 * 9.81], rtol=1e-3, atol=1e-3)
    assert (forces[1] == 0).all()
