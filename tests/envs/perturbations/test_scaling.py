"""Factors on model fields, against models scaled by hand."""

import mujoco
import numpy as np
import pytest
import torch

import metarl
from metarl import registry
from metarl.envs.perturbations.perturbed import ModelChanges
from metarl.envs.physics import make_physics
from metarl.tasks.samplers import LogUniform, Uniform


def whole(*fields):
    def edit(model, task):
        for field in fields:
            owner = model.opt if field == "gravity" else model
            getattr(owner, field)[:] *= task[name_of[fields]]

    name_of = {
        ("body_mass", "body_inertia"): "mass", ("geom_friction",): "friction", ("dof_damping",): "damping",
        ("gravity",): "gravity", ("actuator_gear",): "strength",
    }  # fmt: skip
    return name_of[fields], edit


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        whole("body_mass", "body_inertia"), whole("geom_friction"), whole("dof_damping"), whole("gravity"),
        whole("actuator_gear"),
    ],
)  # fmt: skip
def test_one_factor_scales_the_whole_field(make_distribution, assert_moves_like, assert_neutral, name, edit):
    d = make_distribution({name: LogUniform(0.5, 2.0)})
    assert_moves_like(d, edit)
    assert_neutral(d)


def bodies(model, task):
    for body in range(1, model.nbody):
        factor = task["body_mass_scale"][body - 1]
        model.body_mass[body] *= factor
        model.body_inertia[body] *= factor


def joints(model, task):
    for dof in range(model.nv):
        model.dof_damping[dof] *= task["dof_damping_scale"][dof]


def geoms(model, task):
    for geom in range(model.ngeom):
        model.geom_friction[geom] *= task["geom_friction_scale"][geom]


def motors(model, task):
    for motor in range(model.nu):
        model.actuator_gear[motor, 0] *= task["motor_strength"][motor]


def classic(model, task):
    model.body_mass[1:] *= task["classic_mass_scale"]
    model.body_inertia[1:] *= task["classic_inertia_scale"]
    model.geom_friction[:] *= task["classic_friction_scale"]


@pytest.mark.parametrize(
    ("samplers", "edit"),
    [
        ({"body_mass_scale": LogUniform(0.3, 3.0, shape=(7,))}, bodies),
        ({"dof_damping_scale": LogUniform(0.5, 2.0, shape=(9,))}, joints),
        ({"geom_friction_scale": LogUniform(0.3, 3.0, shape=(9,))}, geoms),
        ({"motor_strength": Uniform(0.0, 1.5, shape=(6,))}, motors),
        (
            {
                "classic_mass_scale": LogUniform(0.5, 2.0, shape=(7,)),
                "classic_inertia_scale": LogUniform(0.5, 2.0, shape=(7, 3)),
                "classic_friction_scale": LogUniform(0.5, 2.0, shape=(9, 3)),
            },
            classic,
        ),
    ],
)
def test_factors_scale_each_element(make_distribution, assert_moves_like, assert_neutral, samplers, edit):
    d = make_distribution(samplers)
    assert_moves_like(d, edit)
    assert_neutral(d)


def test_factors_of_the_same_field_multiply(make_distribution, assert_moves_like):
    def edit(model, task):
        bodies(model, task)  # in this order, to the last bit
        model.body_mass *= task["mass"]
        model.body_inertia *= task["mass"]

    assert_moves_like(
        make_distribution({"mass": LogUniform(0.5, 2.0), "body_mass_scale": LogUniform(0.5, 2.0, shape=(7,))}), edit
    )


def test_factors_do_not_compound_from_task_to_task(make_distribution):
    d = make_distribution({"body_mass_scale": LogUniform(0.3, 3.0, shape=(7,)), "gravity": LogUniform(0.5, 2.0)})
    env, fresh = d.make(2), d.make(2)
    for seed in range(5):
        env.begin(d.tasks("train", 2, seed))
    fresh.begin(d.tasks("train", 2, 4))
    for field in ("body_mass", "body_inertia", "opt.gravity", "body_invweight0", "dof_invweight0"):
        ours, theirs = (e.environment.simulation.physics.field(field) for e in (env, fresh))  # type: ignore[attr-defined]
        assert torch.equal(ours, theirs), field


def test_only_classic_inertia_scale_gives_impossible_inertias():
    """Principal inertias of a body satisfy the triangle inequality; independent factors almost always violate it."""
    model = registry.find("world", "HalfCheetah").model

    def fraction_possible(sampler, name):
        d = metarl.TaskDistribution(
            "TestInertia", world="HalfCheetah", goal="velocity",
            parameters={"velocity": metarl.Fixed(1.0), name: sampler}, horizon=5,
        )  # fmt: skip
        env = d.make(200)
        env.begin(d.tasks("train", 200))
        inertia = np.sort(env.environment.simulation.physics.field("body_inertia")[:, 1:].numpy(), -1)  # type: ignore[attr-defined]
        assert inertia.shape == (200, model.nbody - 1, 3)
        return (inertia[..., 0] + inertia[..., 1] >= inertia[..., 2] * (1 - 1e-9)).all(1).mean()

    assert fraction_possible(LogUniform(1.5**-3, 1.5**3, shape=(7,)), "body_mass_scale") == 1
    assert fraction_possible(LogUniform(1.5**-3, 1.5**3, shape=(7, 3)), "classic_inertia_scale") < 0.02


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), 1e9])
def test_factor_out_of_bounds_raises(make_distribution, value):
    d = make_distribution({"mass": LogUniform(0.5, 2.0)})
    with pytest.raises(metarl.MetarlError, match="mass"):
        d.make().begin({"velocity": 1.0, "mass": value})


def test_sampler_of_the_wrong_shape_raises_with_both_shapes(make_distribution):
    with pytest.raises(metarl.MetarlError, match=r"body_mass_scale.*\[n, 7\].*\[16, 3\]"):
        make_distribution({"body_mass_scale": LogUniform(0.5, 2.0, shape=(3,))}).validate()


def test_friction_scales_floor_pairs_and_not_explicit_pairs():
    model = mujoco.MjModel.from_xml_string(PAIRS)
    physics = make_physics(model, 2, 1, torch.device("cpu"))
    changes = ModelChanges(physics, [registry.find("perturbation", "friction")])
    changes.write(changes.values({"friction": torch.tensor([0.5, 3.0])}), torch.ones(2, dtype=torch.bool))
    floor_pair, explicit_pair = physics.field("pair_friction").unbind(1)
    mixed = torch.tensor([0.8, 0.8, 0.3, 0.1, 0.1], dtype=torch.float64)
    assert torch.equal(floor_pair, torch.stack([mixed * 0.5, mixed * 3.0]))
    assert torch.equal(explicit_pair, torch.tensor([[1.5, 1.5, 0.3, 0.1, 0.1]] * 2, dtype=torch.float64))


PAIRS = """
<mujoco>
  <worldbody>
    <geom name="floor" type="plane" size="9 9 1" friction="0.8 0.2 0.1"/>
    <body pos="0 0 1"><freejoint/><geom name="ball" size="0.1" friction="0.5 0.3 0.05"/></body>
  </worldbody>
  <contact>
    <pair name="floor: ball" geom1="floor" geom2="ball" friction="0.8 0.8 0.3 0.1 0.1"/>
    <pair name="explicit" geom1="floor" geom2="ball" friction="1.5 1.5 0.3 0.1 0.1"/>
  </contact>
</mujoco>
"""
