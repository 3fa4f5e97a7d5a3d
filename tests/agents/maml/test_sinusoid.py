"""The inner and outer machinery on the MAML paper's regression (Finn et al. 2017, section 5.1).

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
    """x and y [M, points, 1]."""
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
        adapted = step_sizes.inner_update().step(network.params(25), loss(network, x[:, :SHOTS], y[:, :SHOTS]), differentiable=True)
        optimizer.zero_grad()
        loss(network, x[:, SHOTS:], y[:, SHOTS:])(adapted).mean().backward()
        optimizer.step()
    return network, step_sizes


def loss(network: Network, x: Tensor, y: Tensor):
    def losses(params: Params) -> Tensor:
        return (network(params, x) - y).square().mean((1, 2))

    return losses


def errors(network: Network, step_sizes: StepSizes, steps: int) -> list[float]:
    """Mean squared error over 600 new tasks before and after each step."""
    x, y = waves(600, SHOTS + 100, torch.Generator().manual_seed(2))
    inner, outer = loss(network, x[:, :SHOTS], y[:, :SHOTS]), loss(network, x[:, SHOTS:], y[:, SHOTS:])
    params = network.params(600)
    found = [float(outer(params).mean().detach())]
    for _ in range(steps):
        params = {k: v.detach() for k, v in step_sizes.inner_update().step(params, inner).items()}
        found.append(float(outer(params).mean()))
    return found


def test_a_few_hundred_iterations_already_make_one_step_count():
    before, after = errors(*train(400), steps=1)
    assert after < 0.85 * before


@pytest.mark.slow
def test_ten_shot_error_after_one_step_and_after_ten():
    found = errors(*train(70_000), steps=10)
    print(f"ten shots: {found[0]:.2f} before, {found[1]:.2f} after one step, {found[10]:.2f} after ten")
    assert found[1] < 0.88  # Li et al. 2017: 0.77 +- 0.11
    assert found[10] < found[1]


@pytest.mark.slow
def test_learned_step_sizes_do_better():
    found = errors(*train(70_000, learn_step_sizes=True), steps=1)
    print(f"Meta-SGD, ten shots: {found[1]:.2f} after one step")
    assert found[1] < 0.62  # Li et al. 2017: 0.53 +- 0.09
