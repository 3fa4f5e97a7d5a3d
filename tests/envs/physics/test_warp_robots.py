"""Every robot on MuJoCo Warp under extreme actions and varied models: no dropped contacts, no NaN."""

import gymnasium as gym
import pytest
import torch

import metarl
from metarl import registry
from metarl.core.environment import Environment
from metarl.core.simulation import DIVERGED, OVERFLOW

pytest.importorskip("mujoco_warp")
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("warp")]

B = 256
STEPS = 1_000_000
ROBOTS = {  # world -> a distribution that varies its dynamics
    "Ant": "AntDeadMotor", "CartPole": "CartPoleParams", "HalfCheetah": "HalfCheetahLimbs",
    "Hopper": "HopperRandParams", "Humanoid": "HumanoidDir", "Pendulum": "PendulumMass", "PointMass": "PointGoalWind",
    "Reacher": "ReacherGoal", "Swimmer": "SwimmerFluid", "Walker2d": "Walker2dRandParams",
}  # fmt: skip


def extreme_actions(size: int, g: torch.Generator, held: torch.Tensor) -> torch.Tensor:
    """Return actions [B, size], by row: uniform, bang-bang, far outside of the bounds, or `held`."""
    random = torch.rand(B, size, generator=g) * 2 - 1
    row = (torch.arange(B) % 4)[:, None]
    return torch.where(
        row == 0, random, torch.where(row == 1, random.sign(), torch.where(row == 2, 1e3 * random, held))
    )


@pytest.mark.parametrize("world", ROBOTS)
def test_extreme_actions_drop_no_contacts(world):
    """Leave most fallen robots on the floor, where they have the most contacts."""
    distribution = metarl.get(ROBOTS[world])
    assert distribution.world == world
    env = Environment(distribution, B, "cpu", "warp")
    assert isinstance(env.action_space, gym.spaces.Box)
    (size,) = env.action_space.shape
    g = torch.Generator().manual_seed(0)
    parts = [distribution.tasks(split, B) for split in distribution.splits]
    env.assign(metarl.TaskSet.concatenate([parts[i % len(parts)][i] for i in range(B)]))
    env.seed(1)
    env.reset()
    held = torch.zeros(B, size)
    for t in range(-(-STEPS // (len(ROBOTS) * B))):
        if t % 20 == 0:
            held = (torch.rand(B, size, generator=g) * 2 - 1).sign()
        step = env.step(extreme_actions(size, g, held))
        assert torch.isfinite(step.obs).all()
        assert torch.isfinite(step.reward).all()
        assert not (step.flags & OVERFLOW).any(), env.simulation.overflow_warning()
        assert not (step.flags & ~DIVERGED).any()
        restarted = step.truncated | (step.terminated & (torch.rand(B, generator=g) < 0.03))
        env.reset(restarted)


def test_all_robots_of_the_catalogue_are_covered():
    worlds = {metarl.get(name).world for name in registry.names("distribution")}
    robots = {name for name in worlds if hasattr(registry.find("world", name), "mjcf")}
    assert robots == set(ROBOTS)
