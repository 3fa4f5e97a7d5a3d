"""Under MuJoCo's default cones the engines part at a contact, so single paths cannot be compared: returns can."""

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp

import metarl
from metarl.core.environment import Environment

pytest.importorskip("mujoco_warp")
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("warp")]

B = 256
STEPS = 100


def returns(name: str, engine: str, seed: int) -> np.ndarray:
    """[B], of a fixed policy that swings and steers: each task and start state once."""
    family = metarl.get(name)
    env = Environment(family, B, "cpu", engine)
    env.assign(family.tasks("train", B))
    env.seed(seed)
    obs = env.reset()
    size = env.action_space.shape[0]  # type: ignore[index]
    g = torch.Generator().manual_seed(0)
    steer, phase = 0.3 * torch.randn(obs.shape[1], size, generator=g), 6 * torch.rand(size, generator=g)
    total, lives = torch.zeros(B), torch.ones(B, dtype=torch.bool)
    for t in range(STEPS):
        step = env.step(torch.tanh(obs @ steer + torch.sin(0.7 * t + phase)), lives)
        total += step.reward
        lives &= ~(step.terminated | step.truncated)
        obs = step.obs
    return total.numpy()


@pytest.mark.parametrize("name", ["HalfCheetahVel", "AntDir2D", "Walker2dRandParams"])
def test_a_fixed_policy_earns_as_much_on_both_engines(name):
    cpu, again, warp = returns(name, "mujoco", 0), returns(name, "mujoco", 1), returns(name, "warp", 0)
    assert not np.array_equal(cpu, again)
    error = np.hypot(cpu.std(), warp.std()) / np.sqrt(B)
    assert abs(cpu.mean() - warp.mean()) < 4 * error
    assert ks_2samp(cpu, warp, method="asymp").pvalue > 1e-3  # type: ignore[attr-defined]
