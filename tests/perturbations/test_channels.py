"""Permuted motors, noise and delay, against environments without them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import metarl
from metarl.tasks.samplers import Integers, Permutation, Uniform


@pytest.fixture
def plain(family):
    return family({})


def obs_of(env, tasks, acts, seed=0):
    """float32 [T + 1, B, n], and rewards [T, B]."""
    first, lived = env.begin(tasks, seed), []
    for a in acts:
        lived.append(env.step(a))
    return torch.stack([first, *(s.final_obs for s in lived)]), torch.stack([s.reward for s in lived])


@settings(max_examples=10, deadline=None)
@given(wires=st.permutations(range(1, 7)), signs=st.lists(st.sampled_from([-1, 1]), min_size=6, max_size=6))
def test_permuted_motors_are_rewired_by_hand(wires, signs):
    base = {"velocity": metarl.Fixed(1.0)}
    d = metarl.TaskDistribution(
        "TestWires", world="HalfCheetah", goal="velocity",
        parameters={**base, "motor_permutation": Permutation(6, signed=True)},
    )  # fmt: skip
    plain = metarl.TaskDistribution("TestPlain", world="HalfCheetah", goal="velocity", parameters=base)
    p = np.array(wires) * np.array(signs)
    ours, theirs = d.make(), plain.make()
    assert torch.equal(ours.begin({"velocity": 1.0, "motor_permutation": p}), theirs.begin({"velocity": 1.0}))
    g = torch.Generator().manual_seed(0)
    for _ in range(5):
        a = torch.rand(1, 6, generator=g) * 3 - 1.5
        wired = torch.tensor([[a[0, abs(j) - 1] * np.sign(j) for j in p.tolist()]])
        x, y = ours.step(a), theirs.step(wired)
        assert torch.equal(x.obs, y.obs)
        assert torch.allclose(x.reward, y.reward)  # the costs add up in another order


def test_neutral_channels_change_nothing(family, neutral):
    neutral(
        family(
            {
                "motor_permutation": Permutation(6, signed=True), "observation_noise": Uniform(0, 1),
                "observation_delay": Integers(0, 3), "action_delay": Integers(0, 3),
            }
        )
    )  # fmt: skip


@pytest.mark.parametrize("delay", [0, 1, 5, 16])
def test_a_delayed_observation_is_an_old_one(family, plain, actions, delay):
    d = family({"observation_delay": Integers(0, 16)})
    ours, theirs = d.make(2), plain.make(2)
    acts = actions(ours, 40)
    late, rewards = obs_of(ours, {"velocity": 1.0, "observation_delay": delay}, acts)
    exact, expected = obs_of(theirs, {"velocity": 1.0}, acts)
    assert torch.equal(rewards, expected)
    assert torch.equal(late, exact[(torch.arange(41) - delay).clamp(min=0)])


@pytest.mark.parametrize("delay", [0, 1, 5, 16])
def test_a_delayed_action_is_an_old_one(family, plain, actions, delay):
    d = family({"action_delay": Integers(0, 16)})
    ours, theirs = d.make(2), plain.make(2)
    acts = actions(ours, 40)
    late = torch.cat([torch.zeros(delay, 2, 6), acts[: 40 - delay]])
    seen, _ = obs_of(ours, {"velocity": 1.0, "action_delay": delay}, acts)
    assert torch.equal(seen, obs_of(theirs, {"velocity": 1.0}, late)[0])
    ours.begin({"velocity": 1.0, "action_delay": delay})
    ours.step(torch.full((2, 6), 5.0))
    control = ours.environment.reward_terms["control"]
    assert torch.allclose(control, torch.tensor(-0.05 * 6))  # of what the agent asked for, clipped


def test_delays_forget_at_a_new_episode(family, actions):
    d = family({"observation_delay": Integers(0, 3), "action_delay": Integers(0, 3)}, horizon=7)
    env = d.make(2)
    task = {"velocity": 1.0, "observation_delay": 3, "action_delay": 3}
    start = env.begin(task, seed=4)
    steps = [env.step(a) for a in actions(env, 10)]
    assert torch.equal(steps[6].obs, env.environment.simulation._exact_observation().float()) is False
    second = steps[6].obs  # the start of the second episode, seen for three more steps
    assert not torch.equal(second, start)
    assert all(torch.equal(s.obs, second) for s in steps[7:9])
    fresh = d.make(2)
    fresh.begin(task, seed=4)
    for _ in range(7):
        fresh.step(torch.zeros(2, 6))
    for step, a in zip(steps[7:], actions(env, 10)[7:], strict=True):
        assert torch.equal(step.obs, fresh.step(a).obs)  # nothing is left of the first episode's actions


def test_noise_is_normal_and_leaves_rewards_alone(family, plain, actions):
    d = family({"observation_noise": Uniform(0, 1)})
    ours, theirs = d.make(50), plain.make(50)
    acts = actions(ours, 40)
    noisy, rewards = obs_of(ours, {"velocity": 1.0, "observation_noise": 0.3}, acts)
    exact, expected = obs_of(theirs, {"velocity": 1.0}, acts)
    assert torch.equal(rewards, expected)
    noise = ((noisy - exact) / 0.3).numpy()
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02
    flat = noise.reshape(41, -1)
    assert abs((flat[1:] * flat[:-1]).mean()) < 0.02  # new at every step
    assert abs((noise[..., 0] * noise[..., 1]).mean()) < 0.07  # and for every element


def test_what_was_seen_stays_seen(family):
    d = family({"observation_noise": Uniform(0, 1), "observation_delay": Integers(0, 3)}, horizon=10)
    env = d.make(3)
    env.begin(d.tasks("train", 3))
    step = env.step(torch.ones(3, 6))
    assert all(torch.equal(env.environment._observe(), step.obs) for _ in range(3))
    some = torch.tensor([True, False, True])
    reset = env.environment.reset(some)
    assert torch.equal(reset[1], step.obs[1])  # another's restart changes nothing
    moved = env.environment.step(torch.ones(3, 6), some)
    assert torch.equal(moved.obs[1], step.obs[1])


@pytest.mark.parametrize("delay", [-1, 17, 0.5])
def test_impossible_delays_are_refused(family, delay):
    d = family({"action_delay": Integers(0, 3)})
    with pytest.raises(metarl.MetarlError, match="action_delay"):
        d.make().begin({"velocity": 1.0, "action_delay": delay})
