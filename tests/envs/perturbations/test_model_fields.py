"""Slope, medium, payload and dead motors, against models edited by hand."""

from math import cos, pi, radians, sin

import mujoco
import numpy as np
import pytest
import torch

import metarl
from metarl.tasks.samplers import Choice, Disc, LogUniform, Uniform


def test_slope_rotates_gravity(make_distribution, assert_moves_like, assert_neutral):
    def edit(model, task):
        a, h = task["slope"], task["slope_heading"]
        model.opt.gravity[:] = [-9.81 * sin(a) * cos(h), -9.81 * sin(a) * sin(h), -9.81 * cos(a)]

    d = make_distribution({"slope": Uniform(-0.4, 0.4), "slope_heading": Uniform(0.0, 2 * pi)})
    assert_moves_like(d, edit, tol=1e-12)
    assert_neutral(d)


def test_ball_on_a_slope_reaches_its_terminal_velocity():
    """With drag b = 5 N s/m on 1 kg, the velocity approaches g sin(a) / b downhill."""
    d = metarl.TaskDistribution(
        "TestHill", world="PointMass", goal="sparse_place", horizon=100,
        parameters={"place": Disc(1.0), "slope": Uniform(0, 0.3), "slope_heading": Uniform(0, 6)},
    )  # fmt: skip
    env = d.make()
    env.begin({"place": [1.0, 0.0], "slope": 0.2, "slope_heading": radians(60)})
    for _ in range(60):
        env.step(torch.zeros(1, 2))
    speed = -9.81 * sin(0.2) / 5
    expected = [speed * cos(radians(60)), speed * sin(radians(60))]
    np.testing.assert_allclose(env.environment.simulation.physics.qvel[0], expected, rtol=1e-6)  # type: ignore[attr-defined]


def test_slope_and_gravity_compose(make_distribution, assert_moves_like):
    def edit(model, task):
        a, g = task["slope"], -9.81 * task["gravity"]
        model.opt.gravity[:] = [g * sin(a), 0, g * cos(a)]

    assert_moves_like(
        make_distribution({"slope": Uniform(-0.3, 0.3), "gravity": LogUniform(0.5, 2.0)}), edit, tol=1e-12
    )


def test_density_viscosity_and_wind_set_the_model_options(make_distribution, assert_moves_like, assert_neutral):
    def edit(model, task):
        model.opt.density, model.opt.viscosity = task["density"], task["viscosity"]
        model.opt.wind[:2] = task["wind"]

    d = make_distribution({"density": Uniform(0, 1000), "viscosity": Uniform(0, 1.0), "wind": Disc(5.0)})
    assert_moves_like(d, edit)
    assert_neutral(d)


def test_ball_in_wind_reaches_the_wind_velocity():
    """The joint damping is almost 0 and the fluid is viscous."""
    d = metarl.TaskDistribution(
        "TestWind", world="PointMass", goal="sparse_place", horizon=400,
        parameters={
            "place": Disc(1.0), "wind": Disc(3.0), "viscosity": Uniform(0, 50), "damping": LogUniform(1e-3, 1.0),
        },
    )  # fmt: skip
    env = d.make()
    env.begin({"place": [1.0, 0.0], "wind": [1.5, -0.5], "viscosity": 30.0, "damping": 1e-3})
    for _ in range(100):
        env.step(torch.zeros(1, 2))
    np.testing.assert_allclose(env.environment.simulation.physics.qvel[0], [1.5, -0.5], rtol=2e-2)  # type: ignore[attr-defined]


def test_payload_scales_mass_and_inertia_of_the_torso(make_distribution, assert_moves_like, assert_neutral):
    def edit(model, task):
        factor = (model.body_mass[1] + task["payload"]) / model.body_mass[1]
        model.body_mass[1] *= factor
        model.body_inertia[1] *= factor

    d = make_distribution({"payload": Uniform(0.0, 10.0)})
    assert_moves_like(d, edit)
    assert_neutral(d)
    env = d.make(2)
    env.begin(d.tasks("train", 2))
    model = env.environment.simulation.physics.model  # type: ignore[attr-defined]
    total = env.environment.simulation.physics.field("body_subtreemass")[:, 0].numpy()  # type: ignore[attr-defined]
    np.testing.assert_allclose(total, model.body_mass.sum() + d.tasks("train", 2).params["payload"])


def test_payload_is_added_after_scaling(make_distribution, assert_moves_like):
    def edit(model, task):
        model.body_mass *= task["mass"]
        model.body_inertia *= task["mass"]
        factor = (model.body_mass[1] + task["payload"]) / model.body_mass[1]
        model.body_mass[1] *= factor
        model.body_inertia[1] *= factor

    assert_moves_like(make_distribution({"payload": Uniform(1.0, 10.0), "mass": LogUniform(0.5, 2.0)}), edit)


def test_dead_motor_has_no_gear(make_distribution, assert_moves_like, assert_neutral):
    def edit(model, task):
        if task["dead_motor"] >= 0:
            model.actuator_gear[task["dead_motor"]] = 0

    d = make_distribution({"dead_motor": Choice(range(-1, 6))})
    assert_moves_like(d, edit, B=7)
    assert_neutral(d)


def test_strength_does_not_change_a_dead_motor(make_distribution):
    d = make_distribution(
        {"dead_motor": Choice(range(6)), "strength": LogUniform(0.5, 2), "motor_strength": Uniform(0, 2, (6,))}
    )
    env = d.make()
    env.begin({"velocity": 1.0, "dead_motor": 3, "strength": 2.0, "motor_strength": np.full(6, 1.5)})
    physics = env.environment.simulation.physics  # type: ignore[attr-defined]
    gear = physics.field("actuator_gear")[0, :, 0] / torch.tensor(physics.model.actuator_gear[:, 0])
    assert gear.tolist() == [3, 3, 3, 0, 3, 3]


@pytest.mark.parametrize(
    ("parameter", "value"), [("dead_motor", 6), ("payload", -1.0), ("density", -1.0), ("slope", 2.0)]
)
def test_value_out_of_bounds_raises(make_distribution, parameter, value):
    sampler = Choice((0, 1)) if parameter == "dead_motor" else Uniform(0.0, 1.0)
    d = make_distribution({parameter: sampler})
    with pytest.raises(metarl.MetarlError, match=rf"{parameter}.*must lie in"):
        d.make().begin({"velocity": 1.0, parameter: value})


def test_slope_does_not_apply_without_gravity():
    model = mujoco.MjModel.from_xml_string("<mujoco><option gravity='0 0 0'/></mujoco>")
    from metarl.envs.perturbations.slope import slope

    assert slope.parameters(model) == ()
