"""`Tanh` equals torch.tanh in values and both derivatives, also under vmap."""

from __future__ import annotations

import pytest
import torch
from torch.func import grad, vmap

from metarl.agents.networks.actor_critic import folded, mlp
from metarl.agents.networks.tanh import Tanh

X = torch.linspace(-12, 12, 997)


def test_values_equal_torch() -> None:
    torch.testing.assert_close(Tanh()(X), X.tanh(), rtol=0, atol=2e-7)
    torch.testing.assert_close(Tanh()(X.double()), X.double().tanh(), rtol=1e-12, atol=1e-15)


def test_derivatives_pass_gradcheck() -> None:
    x = torch.randn(7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Tanh(), x)
    assert torch.autograd.gradgradcheck(Tanh(), x)


def test_derivatives_under_vmap() -> None:
    slopes = vmap(grad(lambda x: Tanh()(x)))(X)
    torch.testing.assert_close(slopes, 1 - X.tanh().square(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("hidden", [[], [8], [16, 5]])
def test_a_folded_network_equals_the_network(hidden):
    torch.manual_seed(0)
    network = mlp([7, *hidden, 3], last_gain=1.0).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    x = torch.randn(50, 7, dtype=torch.float64) * 3
    torch.testing.assert_close(folded(network)(x), network(x), rtol=1e-10, atol=1e-10)


def test_a_folded_network_keeps_its_weights():
    network = mlp([2, 4, 1], last_gain=1.0)
    run, x = folded(network), torch.ones(1, 2)
    before = run(x)
    with torch.no_grad():
        next(network.parameters()).add_(1)
    assert torch.equal(run(x), before)
    assert not torch.allclose(network(x), before)
