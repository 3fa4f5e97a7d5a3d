"""A million steps of random and extreme actions over all distributions: no NaN in any observation or reward."""

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


def wild(space: gym.Space, g: torch.Generator) -> torch.Tensor:
    """[B, *action]: random, held at the ends, and far beyond them."""
    if isinstance(space, gym.spaces.Discrete):
        return torch.randint(int(space.n), (B,), generator=g)
    assert space.shape is not None
    random = torch.rand(B, *space.shape, generator=g) * 2 - 1
    how = torch.arange(B).reshape(B, *[1] * len(space.shape)) % 4
    far = torch.where(random > 0, 1e30, -torch.inf)
    return torch.where(how == 0, random, torch.where(how == 1, random.sign(), torch.where(how == 2, 10 * random, far)))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_wild_steps_stay_finite(name, tmp_path, monkeypatch):
    """Tasks of every split; whoever ends is restarted, and whoever diverges says so (`-rP` prints how many did)."""
    monkeypatch.chdir(tmp_path)  # MuJoCo writes MUJOCO_LOG.TXT where it stands
    family = metarl.get(name)
    env = Environment(family, B)
    g = torch.Generator().manual_seed(0)
    parts = [family.tasks(split, B) for split in family.splits]
    rows = [parts[i % len(parts)][i] for i in range(B)]
    env.assign(metarl.TaskSet.concatenate(rows))
    env.seed(1)
    env.reset()
    steps = -(-STEPS // (len(NAMES) * B))
    diverged = 0
    for _ in range(steps):
        moved = env.step(wild(env.action_space, g))
        assert torch.isfinite(moved.obs.float()).all()
        assert torch.isfinite(moved.reward).all()
        assert not (moved.flags & ~(DIVERGED | OVERFLOW)).any()
        diverged += int((moved.flags & DIVERGED).bool().sum())
        env.reset(moved.terminated | moved.truncated)
    env.close()
    print(f"{name}: {steps * B} env steps, {diverged} diverged")
