"""Equal return distributions on both engines.

With MuJoCo's default friction cones the trajectories separate at contacts, so only returns can be compared.
"""

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
    """Return the returns [B] of a fixed oscillating policy, one for each of B tasks and start states."""
    distribution = metarl.get(name)
    env = Environment(distribution, B, "cpu", engine)
    env.assign(distribution.tasks("train", B))
    env.seed(seed)
    obs = env.reset()
    size = env.action_space.shape[0]  # type: ignore[index]
    g = torch.Generator().manual_seed(0)
    steer, phase = 0.3 * torch.randn(obs.shape[1], size, generator=g), 6 * torch.rand(size, generator=g)
    total, active = torch.zeros(B), torch.ones(B, dtype=torch.bool)
    for t in range(STEPS):
        step = env.step(torch.tanh(obs @ steer + torch.sin(0.7 * t + phase)), active)
        total += step.reward
        active &= ~(step.terminated | step.truncated)
        obs = step.obs
    return total.numpy()


@pytest.mark.parametrize("name", ["HalfCheetahVel", "AntDir2D", "Walker2dRandParams"])
def test_return_distributions_of_a_fixed_policy_are_equal(name):
    cpu, other_seed, warp = returns(name, "mujoco", 0), returns(name, "mujoco", 1), returns(name, "warp", 0)
    assert not np.array_equal(cpu, other_seed)
    error = np.hypot(cpu.std(), warp.std()) / np.sqrt(B)
    assert abs(cpu.mean() - warp.mean()) < 4 * error
    assert ks_2samp(cpu, warp, method="asymp").pvalue > 1e-3  # type: ignore[attr-defined]
