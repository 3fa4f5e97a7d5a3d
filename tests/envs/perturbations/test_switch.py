"""Tasks that change within an episode, against plain loops that change the model at the same step."""

import copy

import mujoco
import numpy as np
import pytest
import torch

import metarl
from metarl.core.environment import Environment
from metarl.tasks.samplers import Choice, Integers, LogUniform, Uniform


def test_model_changes_at_the_switch_time_of_each_environment(make_distribution, actions):
    d = make_distribution(
        {
            "mass": LogUniform(0.5, 2.0), "mass_after": LogUniform(0.5, 2.0), "gravity_after": LogUniform(0.5, 2.0),
            "switch_time": Integers(0, 25),
        }
    )  # fmt: skip
    B = 6
    env, tasks = d.make(B), d.tasks("train", B)
    env.begin(tasks, seed=1)
    physics = env.environment.simulation.physics  # type: ignore[attr-defined]

    def scaled(mass, gravity):
        model = copy.copy(physics.model)
        model.body_mass *= mass
        model.body_inertia *= mass
        model.opt.gravity[:] = [0, 0, -9.81 * gravity]
        mujoco.mj_setConst(model, mujoco.MjData(model))
        return model

    references = []
    for i in range(B):
        t = tasks.task(i)
        data = mujoco.MjData(physics.model)
        data.qpos[:], data.qvel[:] = physics.qpos[i], physics.qvel[i]
        second = scaled(t["mass_after"], t["gravity_after"])
        references.append((scaled(t["mass"], 1.0), second, t["switch_time"], data))
    assert len({time for _, _, time, _ in references}) > 3
    for step, action in enumerate(actions(env, 39)):
        env.step(action)
        for i, (first, second, time, data) in enumerate(references):
            data.ctrl[:] = physics.ctrl[i]
            mujoco.mj_step(second if step >= time else first, data, nstep=physics.frame_skip)
            np.testing.assert_array_equal(physics.qpos[i], data.qpos)


def test_each_episode_begins_with_the_first_values(make_distribution, actions):
    """The second episode equals that of an environment without a switch."""
    samplers = {"mass": LogUniform(0.5, 2.0), "mass_after": LogUniform(0.5, 2.0), "switch_time": Integers(0, 40)}
    d = make_distribution(samplers, horizon=12)
    task = {"velocity": 1.0, "mass": 0.7, "mass_after": 1.9, "switch_time": 5}
    switching, constant = d.make(2), d.make(2)
    switching.begin(task)
    constant.begin({**task, "mass_after": 0.7})
    for t, a in enumerate(actions(switching, 17)):
        x, y = switching.step(a), constant.step(a)
        assert torch.equal(x.obs, y.obs) == (t < 5 or t >= 11)  # step 11 begins the second episode
    env = Environment(d, 2)  # one of two environments is reset during an episode
    env.assign(d.task_set(task))
    env.reset()
    for _ in range(8):
        env.step(torch.zeros(2, 6))
    env.reset(torch.tensor([True, False]))
    mass = env.simulation.physics.field("body_mass")[:, 1] / env.simulation.physics.model.body_mass[1]  # type: ignore[attr-defined]
    assert mass.tolist() == pytest.approx([0.7, 1.9])
    env.step(torch.zeros(2, 6), torch.tensor([False, True]))  # the time of an inactive environment does not advance
    for _ in range(5):
        env.step(torch.zeros(2, 6))
        assert float(env.simulation.physics.field("body_mass")[0, 1] / 6.2502092050209201) == pytest.approx(0.7)  # type: ignore[attr-defined]
    env.step(torch.zeros(2, 6))
    assert float(env.simulation.physics.field("body_mass")[0, 1] / 6.2502092050209201) == pytest.approx(1.9)  # type: ignore[attr-defined]


def test_goal_parameter_switches_at_the_switch_time(actions):
    base = metarl.get("HalfCheetahDir")
    d = metarl.TaskDistribution(
        "TestTurn", world="HalfCheetah", goal="direction", horizon=10,
        parameters={
            "direction": Choice((-1.0, 1.0)), "direction_after": Choice((-1.0, 1.0)), "switch_time": Integers(0, 9),
        },
    )  # fmt: skip
    switching, reference = d.make(), base.make()
    switching.begin({"direction": 1.0, "direction_after": -1.0, "switch_time": 4})
    reference.begin({"direction": 1.0})
    for t, a in enumerate(actions(switching, 10)):
        switching.step(a)
        reference.step(a)
        terms, expected = switching.environment.reward_terms, reference.environment.reward_terms
        assert float(terms["direction"]) == float(expected["direction"]) * (1 if t < 4 else -1)


def test_channel_parameter_switches_at_the_switch_time(make_distribution, actions):
    d = make_distribution({"action_delay_after": Integers(0, 3), "switch_time": Integers(0, 9)}, horizon=12)
    delayed, plain = d.make(), make_distribution({}).make()
    delayed.begin({"velocity": 1.0, "action_delay_after": 2, "switch_time": 6})
    plain.begin({"velocity": 1.0})
    sent = actions(delayed, 11)
    applied = [sent[t if t < 6 else t - 2] for t in range(11)]
    for action, delayed_action in zip(sent, applied, strict=True):
        assert torch.equal(delayed.step(action).obs, plain.step(delayed_action).obs)


def test_batch_equals_single_environments(make_distribution, actions):
    d = make_distribution(
        {
            "mass": LogUniform(0.5, 2.0), "mass_after": LogUniform(0.5, 2.0), "switch_time": Integers(0, 25),
            "observation_noise_after": Uniform(0, 1), "action_delay_after": Integers(0, 4),
        },
        horizon=15,
    )  # fmt: skip
    tasks = d.tasks("train", 4)
    batch = d.make(4)
    acts = actions(batch, 30)
    batch.begin(tasks, seed=3)
    batched = [batch.step(a) for a in acts]
    for i in range(4):
        env = d.make()
        env.begin(tasks[i], seed=3, keys=torch.tensor([i]))
        for step, a in zip(batched, acts, strict=True):
            single = env.step(a[i : i + 1])
            assert torch.equal(step.obs[i], single.obs[0])
            assert step.reward[i] == single.reward[0]


def test_incomplete_switch_raises(make_distribution):
    with pytest.raises(metarl.MetarlError, match="mass_after needs switch_time"):
        make_distribution({"mass_after": Uniform(1, 2)}).validate()
    with pytest.raises(metarl.MetarlError, match="switch_time changes nothing by itself"):
        make_distribution({"switch_time": Integers(0, 9)}).validate()
    with pytest.raises(metarl.MetarlError, match=r"unknown parameter of TestPerturbed.*'mas_after'"):
        make_distribution(
            {"mas_after": Uniform(1, 2), "mass_after": Uniform(1, 2), "switch_time": Integers(0, 9)}
        ).validate()
    with pytest.raises(metarl.MetarlError, match=r"mass_after.*too low"):
        make_distribution({"mass_after": Uniform(-2, -1), "switch_time": Integers(0, 9)}).validate()
