"""The associative memory: steps equal whole sequences, and hand-set weights compute reward sums and means."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from metarl.agents.networks import associative
from metarl.agents.networks.associative import KEYS, Associative

INPUT, HIDDEN = 5, 6


def make() -> tuple[Associative, Tensor, Tensor]:
    torch.manual_seed(0)
    net = Associative(INPUT, HIDDEN).double()
    return net, torch.randn(11, 3, INPUT).double(), torch.randn(3, net.state_size).double()


@pytest.mark.parametrize("chunk", [1, 4, 128])
def test_a_sequence_equals_its_steps(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(associative, "_CHUNK", chunk)
    net, x, state = make()
    outs, final = net.sequence(x, state)
    for row, out in zip(x, outs, strict=True):
        stepped, state = net.step(row, state)
        torch.testing.assert_close(out, stepped, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(final, state, rtol=1e-12, atol=1e-12)


def test_a_sequence_equals_the_sum_of_its_definition() -> None:
    """The sum of all values so far, weighted by the products of their keys with the query."""
    net, x, _ = make()
    outs, _ = net.sequence(x, net.initial_state(3))
    before = torch.cat((torch.zeros(1, 3, INPUT).double(), x[:-1]))
    for t in range(len(x)):
        expected = torch.zeros(3, HIDDEN).double()
        for i in range(t + 1):
            a, b = net.value(x[i]).chunk(2, -1)
            match = (net.query(x[t]) * net.key(before[i])).sum(-1, keepdim=True) / KEYS**0.5
            expected += match * a * b
        expected = expected / (1 + net.divisor(expected).abs())
        torch.testing.assert_close(outs[t], expected, rtol=1e-10, atol=1e-12)


def hand_set(outputs: int) -> Associative:
    """Return a memory whose keys and queries are states, for 3 states and 2 actions.

    Inputs are [state one-hot, last action one-hot, last reward].
    """
    net = Associative(6, outputs)
    for linear in (net.key, net.query, net.value, net.divisor):
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)
    with torch.no_grad():
        net.key.weight[:3, :3] = torch.eye(3)
        net.query.weight[:3, :3] = torch.eye(3) * KEYS**0.5
    return net


# state 0 -(action 1, reward 2)-> 2 -(0, 5)-> 0 -(1, 3)-> 1 -(0, 7)-> 0
INPUTS = torch.tensor(
    [[1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 1, 2], [1, 0, 0, 1, 0, 5], [0, 1, 0, 0, 1, 3], [1, 0, 0, 1, 0, 7]]
).float().unsqueeze(1)  # fmt: skip


def test_weights_exist_that_sum_the_rewards_of_each_state_and_action() -> None:
    net = hand_set(2)
    with torch.no_grad():
        net.value.weight[:2, 3:5] = torch.eye(2)
        net.value.weight[2:, 5] = 1.0
    outs, _ = net.sequence(INPUTS, net.initial_state(1))
    assert torch.equal(outs[:, 0], torch.tensor([[0.0, 0.0], [0, 0], [0, 2], [0, 0], [0, 5]]))


def test_weights_exist_that_give_the_posterior_mean_reward_of_each_state_and_action() -> None:
    """Reward sums over (count + 1); the outputs are [sums of 2 actions, counts of 2 actions]."""
    net = hand_set(4)
    with torch.no_grad():
        net.value.weight[:2, 3:5] = net.value.weight[2:4, 3:5] = torch.eye(2)
        net.value.weight[4:6, 5] = 1.0
        net.value.bias[6:] = 1.0
        net.divisor.weight[:2, 2:] = torch.eye(2)
    outs, _ = net.sequence(INPUTS, net.initial_state(1))
    expected = torch.tensor([[0, 0, 0, 0], [0, 0, 0, 0], [0, 2 / 2, 0, 1], [0, 0, 0, 0], [0, (2 + 3) / 3, 0, 2]])
    torch.testing.assert_close(outs[:, 0], expected)
