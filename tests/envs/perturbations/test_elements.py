"""Parameters of one element of a vector parameter, by the name of its body, joint or motor."""

import numpy as np
import pytest

import metarl
from metarl import registry
from metarl.envs.perturbations.elements import names_of
from metarl.tasks.samplers import Integers, LogUniform, Uniform


def test_element_parameters_change_only_their_element(make_distribution, assert_moves_like, assert_neutral):
    def edit(model, task):
        body = model.body("back_foot").id
        model.body_mass[body] *= task["body_mass_scale[back_foot]"]
        model.body_inertia[body] *= task["body_mass_scale[back_foot]"]
        model.actuator_gear[model.actuator("front_shin").id] *= task["motor_strength[front_shin]"]
        model.dof_damping[model.jnt_dofadr[model.joint("front_thigh").id]] *= task["dof_damping_scale[front_thigh]"]

    samplers = {
        "body_mass_scale[back_foot]": LogUniform(0.5, 4.0), "motor_strength[front_shin]": Uniform(0.0, 2.0),
        "dof_damping_scale[front_thigh]": LogUniform(0.5, 2.0),
    }  # fmt: skip
    assert_moves_like(make_distribution(samplers), edit)
    assert_neutral(make_distribution(samplers))


def test_element_parameter_switches(make_distribution):
    d = make_distribution({"limb_lengths[back_foot]_after": Uniform(0.5, 0.9), "switch_time": Integers(2, 4)})
    env = d.make()
    env.begin({"velocity": 1.0, "limb_lengths[back_foot]_after": 0.5, "switch_time": 2})
    physics = env.environment.simulation.physics  # type: ignore[attr-defined]
    geom = physics.model.geom("back_foot").id
    lengths = []
    for _ in range(4):
        env.step(0 * env.environment.simulation.physics.ctrl.float())  # type: ignore[attr-defined]
        lengths.append(float(physics.field("geom_size")[0, geom, 1]) / 0.094)
    assert lengths == pytest.approx([1, 1, 0.5, 0.5])


def test_names_of_joints_with_several_degrees_of_freedom():
    model = registry.find("world", "Ant").model
    assert names_of(model, "body")[0] == "torso"
    dofs = names_of(model, "dof")
    assert len(dofs) == len(set(dofs)) == 14
    assert dofs[0].endswith(".0")
    assert dofs[5].endswith(".5")


def test_element_overrides_the_vector_parameter(make_distribution):
    d = make_distribution({"motor_strength": Uniform(0.5, 1.5, (6,)), "motor_strength[back_foot]": Uniform(0.0, 0.1)})
    env = d.make()
    env.begin({"velocity": 1.0, "motor_strength": np.full(6, 0.5), "motor_strength[back_foot]": 0.0})
    physics = env.environment.simulation.physics  # type: ignore[attr-defined]
    assert (physics.field("actuator_gear")[0, :, 0].numpy() / physics.model.actuator_gear[:, 0]).tolist() == [
        0.5, 0.5, 0.0, 0.5, 0.5, 0.5,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("body_mass_scale[back_fot]", "unknown element of body_mass_scale 'back_fot'; did you mean 'back_foot'"),
        ("motor_power[back_foot]", "unknown parameter whose elements have names 'motor_power'"),
        ("mass[torso]", "whose elements have names 'mass'"),
    ],
)
def test_unknown_element_or_parameter_raises(make_distribution, name, message):
    with pytest.raises(metarl.MetarlError, match=message):
        make_distribution({name: Uniform(0.5, 1.0)}).validate()
