"""Returns and advantages against plain Python loops and known identities."""

import numpy as np
import pytest
import torch

from metarl.core.returns import (
    compact,
    discounted_sum,
    explained_variance,
    generalized_advantage,
    masked_mean,
    take_rows,
)

T, B = 13, 5


@pytest.fixture
def rollout():
    g = torch.Generator().manual_seed(0)
    reward, value = (torch.randn(T, B, generator=g, dtype=torch.float64) for _ in range(2))
    ends = torch.rand(T, B, generator=g) < 0.25
    ends[-1] = True
    return reward, value, ends


def plain_advantage(reward, value, ends, gamma, gae_lambda):
    reward, value, ends = (x.numpy() for x in (reward, value, ends))
    advantages = np.zeros((T, B))
    for b in range(B):
        advantage = 0.0
        for t in reversed(range(T)):
            continues = 0.0 if ends[t, b] else 1.0
            next_value = value[t + 1, b] if t + 1 < T else 0.0
            delta = reward[t, b] + gamma * continues * next_value - value[t, b]
            advantages[t, b] = advantage = delta + gamma * gae_lambda * continues * advantage
    return advantages


@pytest.mark.parametrize(("gamma", "gae_lambda"), [(0.97, 0.9), (0.99, 1.0), (0.9, 0.0), (1.0, 1.0), (0.0, 0.5)])
def test_advantage_equals_a_plain_loop(rollout, gamma, gae_lambda):
    reward, value, ends = rollout
    actual = generalized_advantage(reward, value, ends, gamma, gae_lambda)
    np.testing.assert_allclose(actual, plain_advantage(reward, value, ends, gamma, gae_lambda), rtol=1e-12)


def test_advantage_with_lambda_1_is_the_discounted_return_minus_the_value(rollout):
    reward, value, ends = rollout
    returns = discounted_sum(reward, 0.9 * (~ends).double())
    torch.testing.assert_close(generalized_advantage(reward, value, ends, 0.9, 1.0), returns - value)


def test_advantage_with_lambda_0_is_the_td_error(rollout):
    reward, value, ends = rollout
    next_value = torch.cat([value[1:], torch.zeros(1, B)]) * ~ends
    torch.testing.assert_close(generalized_advantage(reward, value, ends, 0.9, 0.0), reward + 0.9 * next_value - value)


def test_advantage_does_not_depend_on_later_episodes(rollout):
    reward, value, ends = rollout
    ends[6] = True
    before = generalized_advantage(reward, value, ends, 0.97, 0.9)
    reward[7:], value[7:] = 100.0, -100.0
    after = generalized_advantage(reward, value, ends, 0.97, 0.9)
    assert torch.equal(before[:7], after[:7])
    assert not torch.equal(before[7:], after[7:])


def test_advantage_is_zero_for_exact_values(rollout):
    reward, _, ends = rollout
    value = discounted_sum(reward, 0.9 * (~ends).double())
    torch.testing.assert_close(generalized_advantage(reward, value, ends, 0.9, 0.7), torch.zeros(T, B).double())


def test_discounted_sum_of_known_sequences():
    x, factor = torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([[0.5], [0.25], [9.0]])
    assert discounted_sum(x, factor).tolist() == [[2.5], [3.0], [4.0]]  # the last factor has no effect
    ones = torch.ones(200, 2, 3, dtype=torch.float64)
    torch.testing.assert_close(discounted_sum(ones, ones * 0.9)[0], ones[0] * (1 - 0.9**200) / (1 - 0.9))


def test_inputs_are_not_overwritten(rollout):
    before = [x.clone() for x in rollout]
    reward, value, ends = rollout
    generalized_advantage(reward, value, ends, 0.9, 0.9)
    assert all(torch.equal(a, b) for a, b in zip(rollout, before, strict=True))


def test_compact_moves_resting_steps_last_and_keeps_the_time_order():
    resting = torch.tensor([[0, 1], [1, 1], [0, 0], [1, 0]], dtype=torch.bool)
    order = compact(resting)
    assert order.T.tolist() == [[0, 2, 1, 3], [2, 3, 0, 1]]
    x = torch.arange(8.0).reshape(4, 2)
    assert take_rows(x, order).T.tolist() == [[0, 4, 2, 6], [5, 7, 1, 3]]
    wide = torch.stack([x, -x], -1)
    assert torch.equal(take_rows(wide, order)[..., 1], -take_rows(x, order))
    assert torch.equal(take_rows(take_rows(x, order), order.argsort(0)), x)


def test_masked_mean_ignores_unmasked_elements():
    x, mask = torch.tensor([1.0, 2.0, 30.0]), torch.tensor([True, True, False])
    assert masked_mean(x, mask) == 1.5
    assert masked_mean(x, torch.zeros(3, dtype=torch.bool)) == 0.0


def test_explained_variance_of_known_predictions():
    actual = torch.tensor([1.0, 2.0, 3.0, 6.0])
    assert explained_variance(actual, actual) == 1.0
    assert explained_variance(torch.full((4,), 7.0), actual) == pytest.approx(0.0)
    assert explained_variance(-actual, actual) == pytest.approx(-3.0)
    assert explained_variance(actual, torch.ones(4)) == 0.0
