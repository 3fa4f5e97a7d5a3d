"""Layers with written-out derivatives against autograd's own, through torch.tanh, in float64."""

from itertools import pairwise

import pytest
import torch

from metarl.agents.maml import layers
from metarl.agents.maml.layers import NARROW, product
from metarl.agents.maml.network import Network

M, N = 5, 7


def problem(hidden: int):
    """Inputs, weights that differ from task to task, what the output is compared with."""
    g = torch.Generator().manual_seed(0)
    sizes = (3, *[NARROW + 1] * hidden, 4)
    weights = []
    for i, o in pairwise(sizes):
        weights += [torch.randn(M, i, o, generator=g, dtype=torch.float64) / i**0.5, torch.randn(M, o, generator=g)]
    weights = [weight.double().requires_grad_() for weight in weights]
    x, y = (torch.randn(M, N, size, generator=g, dtype=torch.float64) for size in (3, 4))
    return x, weights, y


def fast(x, weights):
    return layers.tanh_layers(x, list(zip(weights[::2], weights[1::2], strict=True)))


def plain(x, weights):
    for weight, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = torch.tanh(x @ weight + bias.unsqueeze(1))
    return x @ weights[-2] + weights[-1].unsqueeze(1)


def derivatives(network, x, weights, y):
    """Output, gradient, and the gradient of two inner steps' outer loss, which takes all second derivatives."""
    out = network(x, weights)
    gradient = torch.autograd.grad((out - y).square().mean(), weights, create_graph=True)
    moved = [w - 0.3 * g for w, g in zip(weights, gradient, strict=True)]
    # Each task's error by a power of its own, so that the cotangent of the gradient depends on the output as well.
    gradient_after = torch.autograd.grad((network(x, moved) - y).exp().mean(), moved, create_graph=True)
    twice = [w - 0.3 * g for w, g in zip(moved, gradient_after, strict=True)]
    meta = torch.autograd.grad((network(x.flip(1), twice) - y).square().sum(), weights)
    return [out, *gradient, *meta]


@pytest.mark.parametrize("hidden", [1, 2, 3])
@pytest.mark.parametrize("cache", [1, 2**17])
def test_derivatives_equal_autograds_in_groups_of_any_size(hidden, cache, monkeypatch):
    monkeypatch.setattr(layers, "CACHE", cache)
    given = problem(hidden)
    for ours, theirs in zip(derivatives(fast, *given), derivatives(plain, *given), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_derivatives_beyond_the_second_equal_autograds():
    """The third derivative of the output's square along a direction, twice."""
    x, weights, y = problem(2)
    along = [torch.full_like(weight, 0.1) for weight in weights]
    found = []
    for network in (fast, plain):
        last = (network(x, weights) - y).square().sum()
        for _ in range(2):
            gradient = torch.autograd.grad(last, weights, create_graph=True)
            last = torch.stack([(g * a).sum() for g, a in zip(gradient, along, strict=True)]).sum()
        found.append(torch.autograd.grad(last, weights))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


def test_a_gradient_by_a_constant_is_differentiated_as_well():
    """A linear loss: nothing leads from the inner gradient back to the outputs but the layers themselves."""
    x, weights, y = problem(2)
    found = []
    for network in (fast, plain):
        inner = torch.autograd.grad((network(x, weights) * y).sum(), weights, create_graph=True)
        squares = torch.cat([g.flatten() for g in inner]).square().sum()
        found.append(torch.autograd.grad(squares, weights, materialize_grads=True, allow_unused=True))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_what_was_asked_for_alone_leaves_nothing_behind():
    """J v by way of J^T u (as TRPO's products do), before the gradient on the same graph, and two gradients at once."""
    x, weights, y = problem(2)
    along = [torch.full_like(weight, 0.1) for weight in weights]
    found = []
    for network in (fast, plain):
        out = network(x, weights)
        u = torch.zeros_like(out).requires_grad_()
        back = torch.autograd.grad(out, weights, u, create_graph=True)
        (pushed,) = torch.autograd.grad(back, u, along, retain_graph=True)
        losses = (out - y).square().sum(), (out * y).exp().mean()
        first = torch.autograd.grad(losses[0], weights, create_graph=True)
        second = torch.autograd.grad(losses[1], weights, create_graph=True)
        both = torch.autograd.grad([*first, *second], weights, [*along, *weights], retain_graph=True)
        found.append([pushed, *both, *torch.autograd.grad(losses[0], weights)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_a_backward_pass_that_broke_off_leaves_nothing_behind():
    """One that fails between the inner gradient and the layers, and one that goes to the outputs alone."""
    x, weights, y = problem(2)
    out = fast(x, weights)
    inner = torch.autograd.grad((out - y).square().sum(), weights, create_graph=True)
    squares = torch.cat([g.flatten() for g in inner]).square().sum()
    expected = torch.autograd.grad((out * y).sum(), weights, retain_graph=True)

    def fail(_):
        raise ValueError("broken off")

    hook = out.register_hook(fail)
    with pytest.raises(ValueError, match="broken off"):
        torch.autograd.grad(squares, weights, retain_graph=True)
    hook.remove()
    torch.autograd.grad(squares, out, retain_graph=True)
    for ours, before in zip(torch.autograd.grad((out * y).sum(), weights), expected, strict=True):
        torch.testing.assert_close(ours, before, rtol=1e-12, atol=0)


@pytest.mark.parametrize("columns", [2, NARROW])
def test_products_of_narrow_matrices(columns):
    g = torch.Generator().manual_seed(0)
    a, b, c = (torch.randn(M, *shape, generator=g, dtype=torch.float64) for shape in ((4, 6), (6, columns), (4, 1)))
    torch.testing.assert_close(product(a, b), a @ b)
    torch.testing.assert_close(product(a, b, c.expand(M, 4, columns)), a @ b + c)


def test_a_network_differentiates_as_its_layers_do():
    """Weights shared by all tasks: their gradient is the sum over tasks."""
    network = Network((3,), outputs=2, hidden_size=8).double()
    x = torch.randn(M, N, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weights = list(network.parameters())
    ours = torch.autograd.grad(network(network.params(M), x).square().sum(), weights)
    shared = [weight.expand(M, *weight.shape) for weight in network.meta.values()]
    theirs = torch.autograd.grad(plain(x, shared).square().sum(), weights)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)
