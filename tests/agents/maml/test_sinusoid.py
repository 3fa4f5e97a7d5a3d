"""The inner step and its meta-gradient on sinusoid regression (Finn et al. 2017, section 5.1).

Amplitude ~ U(0.1, 5), phase ~ U(0, pi), x ~ U(-5, 5); two hidden layers of 40 relu units, ten shots, one inner step of
0.01, Adam of 1e-3 over 25 tasks, 70,000 meta-iterations; evaluated on 600 tasks here. Li et al. (2017, table 1) give a
mean squared error of 0.77 +- 0.11 after one step for MAML, trained and tested with ten shots.
"""

import math

import pytest
import torch
from torch import Tensor

from metarl.agents.maml.inner_update import StepSizes
from metarl.agents.maml.network import Network, Params

SHOTS, QUERIES = 10, 10


def waves(tasks: int, points: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return x and y [M, points, 1] of random sinusoids."""
    amplitude = 0.1 + 4.9 * torch.rand(tasks, 1, 1, generator=g)
    phase = math.pi * torch.rand(tasks, 1, 1, generator=g)
    x = 10 * torch.rand(tasks, points, 1, generator=g) - 5
    return x, amplitude * torch.sin(x - phase)


def train(iterations: int, learn_step_sizes: bool = False) -> tuple[Network, StepSizes]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Network((1,), outputs=1, hidden_size=40, layers=2, activation="relu")
    step_sizes = StepSizes(network, 0.01, learn_step_sizes, head_only=False)
    optimizer = torch.optim.Adam([*network.parameters(), *step_sizes.values], 1e-3)
    g = torch.Generator().manual_seed(1)
    for _ in range(iterations):
        x, y = waves(25, SHOTS + QUERIES, g)
        support = loss(network, x[:, :SHOTS], y[:, :SHOTS])
        adapted = step_sizes.inner_update().step(network.params(25), support, differentiable=True)
        optimizer.zero_grad()
        loss(network, x[:, SHOTS:], y[:, SHOTS:])(adapted).mean().backward()
        optimizer.step()
    return network, step_sizes


def loss(network: Network, x: Tensor, y: Tensor):
    def losses(params: Params) -> Tensor:
        return (network(params, x) - y).square().mean((1, 2))

    return losses


def errors(network: Network, step_sizes: StepSizes, steps: int) -> list[float]:
    """Return the mean squared errors over 600 new tasks, before the first step and after each."""
    x, y = waves(600, SHOTS + 100, torch.Generator().manual_seed(2))
    inner, outer = loss(network, x[:, :SHOTS], y[:, :SHOTS]), loss(network, x[:, SHOTS:], y[:, SHOTS:])
    params = network.params(600)
    result = [float(outer(params).mean().detach())]
    for _ in range(steps):
        params = {k: v.detach() for k, v in step_sizes.inner_update().step(params, inner).items()}
        result.append(float(outer(params).mean()))
    return result


def test_a_step_reduces_the_error_after_400_iterations():
    before, after = errors(*train(400), steps=1)
    assert after < 0.85 * before


@pytest.mark.slow
def test_ten_shot_errors_after_one_and_ten_steps_are_as_published():
    error = errors(*train(70_000), steps=10)
    print(f"ten shots: {error[0]:.2f} before, {error[1]:.2f} after one step, {error[10]:.2f} after ten")
    assert error[1] < 0.88  # Li et al. 2017: 0.77 +- 0.11
    assert error[10] < error[1]


@pytest.mark.slow
def test_the_ten_shot_error_with_learned_step_sizes_is_as_published():
    error = errors(*train(70_000, learn_step_sizes=True), steps=1)
    print(f"Meta-SGD, ten shots: {error[1]:.2f} after one step")
    assert error[1] < 0.62  # Li et al. 2017: 0.53 +- 0.09
