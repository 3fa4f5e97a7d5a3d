"""A million steps of random and extreme actions over all distributions: observations and rewards stay finite."""

import gymnasium as gym
import pytest
import torch

import metarl
from metarl import registry
from metarl.core.environment import Environment
from metarl.core.simulation import DIVERGED, OVERFLOW

NAMES = registry.names("distribution")
STEPS = 1_000_000
B = 64


def extreme_actions(space: gym.Space, g: torch.Generator) -> torch.Tensor:
    """Return actions [B, *action], by row: uniform, at the bounds, beyond them, and far beyond them or infinite."""
    if isinstance(space, gym.spaces.Discrete):
        return torch.randint(int(space.n), (B,), generator=g)
    assert space.shape is not None
    random = torch.rand(B, *space.shape, generator=g) * 2 - 1
    row = torch.arange(B).reshape(B, *[1] * len(space.shape)) % 4
    far = torch.where(random > 0, 1e30, -torch.inf)
    return torch.where(row == 0, random, torch.where(row == 1, random.sign(), torch.where(row == 2, 10 * random, far)))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_steps_under_extreme_actions_stay_finite(name, tmp_path, monkeypatch):
    """Use tasks of all splits, and reset every episode that ends; `-rP` prints the number of divergences."""
    monkeypatch.chdir(tmp_path)  # MuJoCo writes MUJOCO_LOG.TXT to the working directory
    distribution = metarl.get(name)
    env = Environment(distribution, B)
    g = torch.Generator().manual_seed(0)
    parts = [distribution.tasks(split, B) for split in distribution.splits]
    rows = [parts[i % len(parts)][i] for i in range(B)]
    env.assign(metarl.TaskSet.concatenate(rows))
    env.seed(1)
    env.reset()
    steps = -(-STEPS // (len(NAMES) * B))
    diverged = 0
    for _ in range(steps):
        step = env.step(extreme_actions(env.action_space, g))
        assert torch.isfinite(step.obs.float()).all()
        assert torch.isfinite(step.reward).all()
        assert not (step.flags & ~(DIVERGED | OVERFLOW)).any()
        diverged += int((step.flags & DIVERGED).bool().sum())
        env.reset(step.terminated | step.truncated)
    env.close()
    print(f"{name}: {steps * B} env steps, {diverged} diverged")
