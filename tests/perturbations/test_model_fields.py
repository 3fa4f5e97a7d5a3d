"""Slope, medium, payload and dead motors, against models edited by hand; and what they must not touch."""

from math import cos, pi, radians, sin

import mujoco
import numpy as np
import pytest
import torch

import metarl
from metarl.tasks.samplers import Choice, Disc, LogUniform, Uniform


def test_a_slope_is_gravity_out_of_the_vertical(family, moves_as, neutral):
    def edit(model, task):
        a, h = task["slope"], task["slope_heading"]
        model.opt.gravity[:] = [-9.81 * sin(a) * cos(h), -9.81 * sin(a) * sin(h), -9.81 * cos(a)]

    d = family({"slope": Uniform(-0.4, 0.4), "slope_heading": Uniform(0.0, 2 * pi)})
    moves_as(d, edit, tol=1e-12)
    neutral(d)


def test_a_ball_rolls_down_a_slope():
    """From rest, with drag b = 5 N s/m on 1 kg: it nears g sin(a) / b, against the way that is uphill."""
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


def test_slope_and_gravity_compose(family, moves_as):
    def edit(model, task):
        a, g = task["slope"], -9.81 * task["gravity"]
        model.opt.gravity[:] = [g * sin(a), 0, g * cos(a)]

    moves_as(family({"slope": Uniform(-0.3, 0.3), "gravity": LogUniform(0.5, 2.0)}), edit, tol=1e-12)


def test_medium(family, moves_as, neutral):
    def edit(model, task):
        model.opt.density, model.opt.viscosity = task["density"], task["viscosity"]
        model.opt.wind[:2] = task["wind"]

    d = family({"density": Uniform(0, 1000), "viscosity": Uniform(0, 1.0), "wind": Disc(5.0)})
    moves_as(d, edit)
    neutral(d)


def test_wind_carries_a_ball_to_its_own_velocity():
    """Without drag of the model's own, in a viscous medium."""
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


def test_payload_has_the_torsos_shape(family, moves_as, neutral):
    def edit(model, task):
        growth = (model.body_mass[1] + task["payload"]) / model.body_mass[1]
        model.body_mass[1] *= growth
        model.body_inertia[1] *= growth

    d = family({"payload": Uniform(0.0, 10.0)})
    moves_as(d, edit)
    neutral(d)
    env = d.make(2)
    env.begin(d.tasks("train", 2))
    model = env.environment.simulation.physics.model  # type: ignore[attr-defined]
    total = env.environment.simulation.physics.field("body_subtreemass")[:, 0].numpy()  # derived anew  # type: ignore[attr-defined]
    np.testing.assert_allclose(total, model.body_mass.sum() + d.tasks("train", 2).params["payload"])


def test_payload_is_added_to_what_was_scaled(family, moves_as):
    def edit(model, task):
        model.body_mass *= task["mass"]
        model.body_inertia *= task["mass"]
        growth = (model.body_mass[1] + task["payload"]) / model.body_mass[1]
        model.body_mass[1] *= growth
        model.body_inertia[1] *= growth

    moves_as(family({"payload": Uniform(1.0, 10.0), "mass": LogUniform(0.5, 2.0)}), edit)


def test_a_dead_motor_does_nothing(family, moves_as, neutral):
    def edit(model, task):
        if task["dead_motor"] >= 0:
            model.actuator_gear[task["dead_motor"]] = 0

    d = family({"dead_motor": Choice(range(-1, 6))})
    moves_as(d, edit, B=7)
    neutral(d)


def test_dead_stays_dead_however_strong(family):
    d = family({"dead_motor": Choice(range(6)), "strength": LogUniform(0.5, 2), "motor_strength": Uniform(0, 2, (6,))})
    env = d.make()
    env.begin({"velocity": 1.0, "dead_motor": 3, "strength": 2.0, "motor_strength": np.full(6, 1.5)})
    physics = env.environment.simulation.physics  # type: ignore[attr-defined]
    gear = physics.field("actuator_gear")[0, :, 0] / torch.tensor(physics.model.actuator_gear[:, 0])
    assert gear.tolist() == [3, 3, 3, 0, 3, 3]


@pytest.mark.parametrize(
    ("parameter", "value"), [("dead_motor", 6), ("payload", -1.0), ("density", -1.0), ("slope", 2.0)]
)
def test_impossible_values_say_the_bound(family, parameter, value):
    sampler = Choice((0, 1)) if parameter == "dead_motor" else Uniform(0.0, 1.0)
    d = family({parameter: sampler})
    with pytest.raises(metarl.MetarlError, match=rf"{parameter}.*must lie in"):
        d.make().begin({"velocity": 1.0, parameter: value})


def test_no_gravity_no_slope():
    """A perturbation that has nothing to change in a model is not offered there."""
    model = mujoco.MjModel.from_xml_string("<mujoco><option gravity='0 0 0'/></mujoco>")
    from metarl.envs.perturbations.slope import slope

    assert slope.parameters(model) == ()
