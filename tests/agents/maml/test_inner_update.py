"""The inner step: meta-gradients, compared with finite differences; first order; the head alone; learned step sizes."""

import pytest
import torch

from metarl.agents.maml.inner_update import InnerUpdate, StepSizes
from metarl.agents.maml.network import Network

M, N = 2, 6


def problem():
    """Return a small network in float64, and regression losses on inner data and on different outer data."""
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
def test_the_meta_gradient_equals_finite_differences(head_only, learned):
    network, losses, outer = problem()
    step_sizes = StepSizes(network, 0.3, learned, head_only).double()
    gradients = meta_gradient(network, losses, outer, step_sizes)

    def value() -> float:
        params = network.params(M)
        for _ in range(2):
            params = step_sizes.inner_update().step(params, losses)
        return float(outer(params).detach())

    weights = [*network.parameters(), *step_sizes.values]
    for weight, gradient in zip(weights, gradients, strict=True):
        flat, index = weight.data.view(-1), weight.numel() // 2
        old, h = float(flat[index]), 1e-5
        flat[index] = old + h
        up = value()
        flat[index] = old - h
        down = value()
        flat[index] = old
        assert abs((up - down) / (2 * h) - float(gradient.reshape(-1)[index])) < 1e-7


def test_the_first_order_gradient_is_that_at_the_adapted_weights():
    network, losses, outer = problem()
    step_sizes = StepSizes(network, 0.3, learned=False, head_only=False).double()
    first = meta_gradient(network, losses, outer, step_sizes, first_order=True)
    params = network.params(M)
    for _ in range(2):
        params = step_sizes.inner_update().step(params, losses)
    leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
    at_adapted = torch.autograd.grad(outer(leaves), list(leaves.values()))
    for gradient, expected in zip(first, at_adapted, strict=True):
        torch.testing.assert_close(gradient, expected.sum(0))
    second = meta_gradient(network, losses, outer, step_sizes)
    assert all(not torch.allclose(a, b, rtol=1e-3) for a, b in zip(first, second, strict=True))


def test_batched_inner_steps_equal_a_loop_over_tasks():
    """The loop takes the inner step for one task at a time."""
    network, losses, _ = problem()
    inner_update = StepSizes(network, 0.3, learned=False, head_only=False).double().inner_update()
    batched = inner_update.step(network.params(M), losses)
    for i in range(M):
        one = {name: value.detach()[None].requires_grad_() for name, value in network.meta.items()}
        loss = losses({name: value.expand(M, *value.shape[1:]) for name, value in one.items()})[i]
        grads = torch.autograd.grad(loss, list(one.values()))
        for (name, value), grad in zip(one.items(), grads, strict=True):
            torch.testing.assert_close(batched[name][i], (value - 0.3 * grad)[0])


def test_with_head_only_the_other_weights_are_not_adapted():
    network, losses, _ = problem()
    inner_update = StepSizes(network, 0.3, learned=False, head_only=True).double().inner_update()
    adapted = inner_update.step(network.params(M), losses)
    changed = {name for name, value in adapted.items() if not torch.equal(value, network.params(M)[name])}
    assert changed == {"head_weight", "head_bias"}


def test_weights_without_step_size_are_not_adapted():
    network, *_ = problem()
    params = network.params(M)
    adapted = InnerUpdate({}).apply(params, {})
    assert all(torch.equal(adapted[name], value) for name, value in params.items())
