"""A captured function does what it does uncaptured; a learner that captures learns the same."""

from __future__ import annotations

import pytest
import torch

from metarl import registry
from metarl.agents.capture import WARM_UP, Captured
from metarl.agents.ppo import PPOLearner
from metarl.agents.presets import RL2Settings

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
DEVICES = ["cpu", pytest.param("cuda", marks=on_gpu)]


@pytest.mark.parametrize("device", DEVICES)
def test_captured_equals_uncaptured(device: str) -> None:
    weight = torch.ones(3, device=device, requires_grad=True)

    def gradient(power: int, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.autograd.grad((weight * x).pow(power).sum(), [weight])

    captured = Captured(gradient)
    for call in range(WARM_UP + 4):
        with torch.no_grad():
            weight.add_(0.5)
        for power, rows in ((2, 4), (3, 4), (2, 5)):  # constants and shapes have graphs of their own
            x = torch.full((rows, 3), 1.0 + call, device=device)
            torch.testing.assert_close(captured(power, x)[0], gradient(power, x)[0])


@pytest.mark.parametrize("device", DEVICES)
def test_a_learner_that_captures_learns_the_same(device: str) -> None:
    distribution = registry.find("distribution", "GridNavi")  # a game: it runs on either device
    learned = []
    for capture in (False, True):
        settings = RL2Settings(num_envs=8, minibatches=2, epochs=4, hidden_size=8, head_size=8, capture=capture)
        learner = PPOLearner(distribution, settings, 0, device)
        metrics = [learner.update() for _ in range(3)]
        learned.append((metrics, [weight.detach().clone() for weight in learner.policy.parameters()]))
    torch.testing.assert_close(learned[1], learned[0], rtol=1e-4, atol=1e-5, equal_nan=True)
