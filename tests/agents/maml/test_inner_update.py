"""The inner step: through it, against finite differences; first order, the head alone, learned step_sizes."""

import pytest
import torch

from metarl.agents.maml.inner_update import InnerUpdate, StepSizes
from metarl.agents.maml.network import Network

M, N = 2, 6


def problem():
    """Regression with a small network in float64: inner data differ from outer data, as they do in meta-learning."""
    torch.manual_seed(0)
    network = Network((3,), outputs=2, hidden_size=4, layers=1).double()
    g = torch.Generator().manual_seed(1)
    x, xq = torch.randn(2, M, N, 3, generator=g, dtype=torch.float64)
    y, yq = torch.randn(2, M, N, 2, generator=g, dtype=torch.float64)

    def losses(params):
        return (network(params, x) - y).square().mean((1, 2))

    def outer(params):
        return (network(params, xq) - yq).square().mean()

    return network, losses, outer


def meta_gradient(network, losses, outer, step_sizes, steps=2, first_order=False):
    params = network.params(M)
    for _ in range(steps):
        params = step_sizes.inner_update(first_order).step(params, losses, differentiable=True)
    weights = [*network.parameters(), *step_sizes.values]
    return torch.autograd.grad(outer(params), weights)


@pytest.mark.parametrize("head_only", [False, True])
@pytest.mark.parametrize("learned", [False, True])
def test_meta_gradient_against_finite_differences(head_only, learned):
    network, losses, outer = problem()
    step_sizes = StepSizes(network, 0.3, learned, head_only).double()
    ours = meta_gradient(network, losses, outer, step_sizes)

    def value() -> float:
        params = network.params(M)
        for _ in range(2):
            params = step_sizes.inner_update().step(params, losses)
        return float(outer(params).detach())

    weights = [*network.parameters(), *step_sizes.values]
    for weight, gradient in zip(weights, ours, strict=True):
        flat, index = weight.data.view(-1), weight.numel() // 2
        was, h = float(flat[index]), 1e-5
        flat[index] = was + h
        up = value()
        flat[index] = was - h
        down = value()
        flat[index] = was
        assert abs((up - down) / (2 * h) - float(gradient.reshape(-1)[index])) < 1e-7


def test_first_order_is_the_gradient_at_the_adapted_weights():
    network, losses, outer = problem()
    step_sizes = StepSizes(network, 0.3, learned=False, head_only=False).double()
    first = meta_gradient(network, losses, outer, step_sizes, first_order=True)
    params = network.params(M)
    for _ in range(2):
        params = step_sizes.inner_update().step(params, losses)
    leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
    at_adapted = torch.autograd.grad(outer(leaves), list(leaves.values()))
    for ours, theirs in zip(first, at_adapted, strict=True):
        torch.testing.assert_close(ours, theirs.sum(0))
    second = meta_gradient(network, losses, outer, step_sizes)
    assert all(not torch.allclose(a, b, rtol=1e-3) for a, b in zip(first, second, strict=True))


def test_tasks_at_once_equal_a_plain_loop_over_tasks():
    """The same inner step with torch.nn modules and one task at a time."""
    network, losses, _ = problem()
    rule = StepSizes(network, 0.3, learned=False, head_only=False).double().inner_update()
    batched = rule.step(network.params(M), losses)
    for i in range(M):
        one = {name: value.detach()[None].requires_grad_() for name, value in network.meta.items()}
        loss = losses({name: value.expand(M, *value.shape[1:]) for name, value in one.items()})[i]
        grads = torch.autograd.grad(loss, list(one.values()))
        for (name, value), grad in zip(one.items(), grads, strict=True):
            torch.testing.assert_close(batched[name][i], (value - 0.3 * grad)[0])


def test_only_the_head_moves_in_anil():
    network, losses, _ = problem()
    adapted = StepSizes(network, 0.3, learned=False, head_only=True).double().inner_update().step(network.params(M), losses)
    moved = {name for name, value in adapted.items() if not torch.equal(value, network.params(M)[name])}
    assert moved == {"head_weight", "head_bias"}


def test_no_rate_no_step():
    network, *_ = problem()
    params = network.params(M)
    assert all(
        torch.equal(a, b) for a, b in zip(InnerUpdate({}).apply(params, {}).values(), params.values(), strict=True)
    )
