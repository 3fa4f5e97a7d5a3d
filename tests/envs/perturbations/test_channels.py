"""Permuted motors, noise and delays, against environments without them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import metarl
from metarl.tasks.samplers import Integers, Permutation, Uniform


@pytest.fixture
def plain(make_distribution):
    return make_distribution({})


def rollout(env, tasks, actions, seed=0):
    """Return observations, float32 [T + 1, B, n], and rewards [T, B]."""
    first, steps = env.begin(tasks, seed), []
    for action in actions:
        steps.append(env.step(action))
    return torch.stack([first, *(s.final_obs for s in steps)]), torch.stack([s.reward for s in steps])


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(1, 7)), signs=st.lists(st.sampled_from([-1, 1]), min_size=6, max_size=6))
def test_motor_permutation_equals_permuted_actions(order, signs):
    base = {"velocity": metarl.Fixed(1.0)}
    d = metarl.TaskDistribution(
        "TestPermutation", world="HalfCheetah", goal="velocity",
        parameters={**base, "motor_permutation": Permutation(6, signed=True)},
    )  # fmt: skip
    plain = metarl.TaskDistribution("TestPlain", world="HalfCheetah", goal="velocity", parameters=base)
    p = np.array(order) * np.array(signs)
    env, reference = d.make(), plain.make()
    assert torch.equal(env.begin({"velocity": 1.0, "motor_permutation": p}), reference.begin({"velocity": 1.0}))
    g = torch.Generator().manual_seed(0)
    for _ in range(5):
        a = torch.rand(1, 6, generator=g) * 3 - 1.5
        permuted = torch.tensor([[a[0, abs(j) - 1] * np.sign(j) for j in p.tolist()]])
        x, y = env.step(a), reference.step(permuted)
        assert torch.equal(x.obs, y.obs)
        assert torch.allclose(x.reward, y.reward)  # the cost sums over another order


def test_neutral_channels_change_nothing(make_distribution, assert_neutral):
    assert_neutral(
        make_distribution(
            {
                "motor_permutation": Permutation(6, signed=True), "observation_noise": Uniform(0, 1),
                "observation_delay": Integers(0, 3), "action_delay": Integers(0, 3),
            }
        )
    )  # fmt: skip


@pytest.mark.parametrize("delay", [0, 1, 5, 16])
def test_observation_delay_shifts_observations(make_distribution, plain, actions, delay):
    d = make_distribution({"observation_delay": Integers(0, 16)})
    env, reference = d.make(2), plain.make(2)
    sent = actions(env, 40)
    delayed, rewards = rollout(env, {"velocity": 1.0, "observation_delay": delay}, sent)
    exact, expected_rewards = rollout(reference, {"velocity": 1.0}, sent)
    assert torch.equal(rewards, expected_rewards)
    assert torch.equal(delayed, exact[(torch.arange(41) - delay).clamp(min=0)])


@pytest.mark.parametrize("delay", [0, 1, 5, 16])
def test_action_delay_shifts_actions(make_distribution, plain, actions, delay):
    d = make_distribution({"action_delay": Integers(0, 16)})
    env, reference = d.make(2), plain.make(2)
    sent = actions(env, 40)
    shifted = torch.cat([torch.zeros(delay, 2, 6), sent[: 40 - delay]])
    obs, _ = rollout(env, {"velocity": 1.0, "action_delay": delay}, sent)
    assert torch.equal(obs, rollout(reference, {"velocity": 1.0}, shifted)[0])
    env.begin({"velocity": 1.0, "action_delay": delay})
    env.step(torch.full((2, 6), 5.0))
    control = env.environment.reward_terms["control"]
    assert torch.allclose(control, torch.tensor(-0.05 * 6))  # the cost of the agent's action, clipped and not delayed


def test_delays_do_not_extend_into_the_next_episode(make_distribution, actions):
    d = make_distribution({"observation_delay": Integers(0, 3), "action_delay": Integers(0, 3)}, horizon=7)
    env = d.make(2)
    task = {"velocity": 1.0, "observation_delay": 3, "action_delay": 3}
    start = env.begin(task, seed=4)
    steps = [env.step(a) for a in actions(env, 10)]
    assert torch.equal(steps[6].obs, env.environment.simulation._exact_observation().float()) is False
    second = steps[6].obs  # the start of the second episode, repeated for the next steps
    assert not torch.equal(second, start)
    assert all(torch.equal(s.obs, second) for s in steps[7:9])
    fresh = d.make(2)
    fresh.begin(task, seed=4)
    for _ in range(7):
        fresh.step(torch.zeros(2, 6))
    for step, a in zip(steps[7:], actions(env, 10)[7:], strict=True):
        assert torch.equal(step.obs, fresh.step(a).obs)  # the first episode's actions have no effect


def test_observation_noise_is_normal_and_does_not_change_rewards(make_distribution, plain, actions):
    d = make_distribution({"observation_noise": Uniform(0, 1)})
    env, reference = d.make(50), plain.make(50)
    sent = actions(env, 40)
    noisy, rewards = rollout(env, {"velocity": 1.0, "observation_noise": 0.3}, sent)
    exact, expected_rewards = rollout(reference, {"velocity": 1.0}, sent)
    assert torch.equal(rewards, expected_rewards)
    noise = ((noisy - exact) / 0.3).numpy()
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02
    flat = noise.reshape(41, -1)
    assert abs((flat[1:] * flat[:-1]).mean()) < 0.02  # independent across steps
    assert abs((noise[..., 0] * noise[..., 1]).mean()) < 0.07  # and across elements


def test_observation_is_unchanged_until_the_next_step(make_distribution):
    d = make_distribution({"observation_noise": Uniform(0, 1), "observation_delay": Integers(0, 3)}, horizon=10)
    env = d.make(3)
    env.begin(d.tasks("train", 3))
    step = env.step(torch.ones(3, 6))
    assert all(torch.equal(env.environment._observe(), step.obs) for _ in range(3))
    some = torch.tensor([True, False, True])
    reset = env.environment.reset(some)
    assert torch.equal(reset[1], step.obs[1])  # the reset of other environments has no effect
    after = env.environment.step(torch.ones(3, 6), some)
    assert torch.equal(after.obs[1], step.obs[1])


@pytest.mark.parametrize("delay", [-1, 17, 0.5])
def test_delay_out_of_bounds_raises(make_distribution, delay):
    d = make_distribution({"action_delay": Integers(0, 3)})
    with pytest.raises(metarl.MetarlError, match="action_delay"):
        d.make().begin({"velocity": 1.0, "action_delay": delay})
