"""Tasks that change inside the episode, against plain loops that change the model at that step."""

import copy

import mujoco
import numpy as np
import pytest
import torch

import metarl
from metarl.core.environment import Environment
from metarl.tasks.samplers import Choice, Integers, LogUniform, Uniform


def test_the_model_changes_at_its_own_step_in_every_environment(family, actions):
    d = family(
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

    lanes = []
    for i in range(B):
        t = tasks.task(i)
        data = mujoco.MjData(physics.model)
        data.qpos[:], data.qvel[:] = physics.qpos[i], physics.qvel[i]
        lanes.append((scaled(t["mass"], 1.0), scaled(t["mass_after"], t["gravity_after"]), t["switch_time"], data))
    assert len({lane[2] for lane in lanes}) > 3
    for step, action in enumerate(actions(env, 39)):
        env.step(action)
        for i, (first, second, time, data) in enumerate(lanes):
            data.ctrl[:] = physics.ctrl[i]
            mujoco.mj_step(second if step >= time else first, data, nstep=physics.frame_skip)
            np.testing.assert_array_equal(physics.qpos[i], data.qpos)


def test_every_episode_begins_with_the_first_values(family, actions):
    """The second episode is that of an environment whose first one never switched."""
    samplers = {"mass": LogUniform(0.5, 2.0), "mass_after": LogUniform(0.5, 2.0), "switch_time": Integers(0, 40)}
    d = family(samplers, horizon=12)
    task = {"velocity": 1.0, "mass": 0.7, "mass_after": 1.9, "switch_time": 5}
    ours, calm = d.make(2), d.make(2)
    ours.begin(task)
    calm.begin({**task, "mass_after": 0.7})
    for t, a in enumerate(actions(ours, 17)):
        x, y = ours.step(a), calm.step(a)
        assert torch.equal(x.obs, y.obs) == (t < 5 or t >= 11)  # step 11 begins the second episode
    env = Environment(d, 2)  # restarted in the middle, one of two
    env.assign(d.task_set(task))
    env.reset()
    for _ in range(8):
        env.step(torch.zeros(2, 6))
    env.reset(torch.tensor([True, False]))
    mass = env.simulation.physics.field("body_mass")[:, 1] / env.simulation.physics.model.body_mass[1]  # type: ignore[attr-defined]
    assert mass.tolist() == pytest.approx([0.7, 1.9])
    env.step(torch.zeros(2, 6), torch.tensor([False, True]))  # at rest: its time stands still
    for _ in range(5):
        env.step(torch.zeros(2, 6))
        assert float(env.simulation.physics.field("body_mass")[0, 1] / 6.2502092050209201) == pytest.approx(0.7)  # type: ignore[attr-defined]
    env.step(torch.zeros(2, 6))
    assert float(env.simulation.physics.field("body_mass")[0, 1] / 6.2502092050209201) == pytest.approx(1.9)  # type: ignore[attr-defined]


def test_goals_switch_exactly(actions):
    base = metarl.get("HalfCheetahDir")
    d = metarl.TaskDistribution(
        "TestTurn", world="HalfCheetah", goal="direction", horizon=10,
        parameters={
            "direction": Choice((-1.0, 1.0)), "direction_after": Choice((-1.0, 1.0)), "switch_time": Integers(0, 9),
        },
    )  # fmt: skip
    ours, theirs = d.make(), base.make()
    ours.begin({"direction": 1.0, "direction_after": -1.0, "switch_time": 4})
    theirs.begin({"direction": 1.0})
    for t, a in enumerate(actions(ours, 10)):
        ours.step(a)
        theirs.step(a)
        terms, other = ours.environment.reward_terms, theirs.environment.reward_terms
        assert float(terms["direction"]) == float(other["direction"]) * (1 if t < 4 else -1)


def test_channels_switch_too(family, actions):
    d = family({"action_delay_after": Integers(0, 3), "switch_time": Integers(0, 9)}, horizon=12)
    ours, plain = d.make(), family({}).make()
    ours.begin({"velocity": 1.0, "action_delay_after": 2, "switch_time": 6})
    plain.begin({"velocity": 1.0})
    acts = actions(ours, 11)
    sent = [acts[t if t < 6 else t - 2] for t in range(11)]
    for mine, theirs in zip(acts, sent, strict=True):
        assert torch.equal(ours.step(mine).obs, plain.step(theirs).obs)


def test_a_batch_is_its_singles(family, actions):
    d = family(
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
            alone = env.step(a[i : i + 1])
            assert torch.equal(step.obs[i], alone.obs[0])
            assert step.reward[i] == alone.reward[0]


def test_half_a_switch_is_refused(family):
    with pytest.raises(metarl.MetarlError, match="mass_after needs switch_time"):
        family({"mass_after": Uniform(1, 2)}).validate()
    with pytest.raises(metarl.MetarlError, match="switch_time changes nothing by itself"):
        family({"switch_time": Integers(0, 9)}).validate()
    with pytest.raises(metarl.MetarlError, match=r"unknown parameter of TestPerturbed.*'mas_after'"):
        family({"mas_after": Uniform(1, 2), "mass_after": Uniform(1, 2), "switch_time": Integers(0, 9)}).validate()
    with pytest.raises(metarl.MetarlError, match=r"mass_after.*too low"):
        family({"mass_after": Uniform(-2, -1), "switch_time": Integers(0, 9)}).validate()
