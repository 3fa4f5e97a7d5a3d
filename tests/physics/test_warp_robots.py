"""Every robot on Warp under wild actions, each in a body of its own: nothing is dropped, no NaN leaves a step."""

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
ROBOTS = {  # world -> a distribution that varies what moves it
    "Ant": "AntDeadMotor", "CartPole": "CartPoleParams", "HalfCheetah": "HalfCheetahLimbs",
    "Hopper": "HopperRandParams", "Humanoid": "HumanoidDir", "Pendulum": "PendulumMass", "PointMass": "PointGoalWind",
    "Reacher": "ReacherGoal", "Swimmer": "SwimmerFluid", "Walker2d": "Walker2dRandParams",
}  # fmt: skip


def wild(size: int, g: torch.Generator, held: torch.Tensor) -> torch.Tensor:
    """[B, size]: random, bang-bang, far outside of the limits, held at the limits."""
    random = torch.rand(B, size, generator=g) * 2 - 1
    how = (torch.arange(B) % 4)[:, None]
    return torch.where(
        how == 0, random, torch.where(how == 1, random.sign(), torch.where(how == 2, 1e3 * random, held))
    )


@pytest.mark.parametrize("world", ROBOTS)
def test_wild_steps(world):
    """Who falls lies where it fell for a while, with all of its contacts."""
    family = metarl.get(ROBOTS[world])
    assert family.world == world
    env = Environment(family, B, "cpu", "warp")
    assert isinstance(env.action_space, gym.spaces.Box)
    (size,) = env.action_space.shape
    g = torch.Generator().manual_seed(0)
    parts = [family.tasks(split, B) for split in family.splits]
    env.assign(metarl.TaskSet.concatenate([parts[i % len(parts)][i] for i in range(B)]))
    env.seed(1)
    env.reset()
    held = torch.zeros(B, size)
    for t in range(-(-STEPS // (len(ROBOTS) * B))):
        if t % 20 == 0:
            held = (torch.rand(B, size, generator=g) * 2 - 1).sign()
        moved = env.step(wild(size, g, held))
        assert torch.isfinite(moved.obs).all()
        assert torch.isfinite(moved.reward).all()
        assert not (moved.flags & OVERFLOW).any(), env.simulation.trouble()
        assert not (moved.flags & ~DIVERGED).any()
        up = moved.truncated | (moved.terminated & (torch.rand(B, generator=g) < 0.03))
        env.reset(up)


def test_every_robot_is_here():
    of = {metarl.get(name).world for name in registry.names("distribution")}
    robots = {name for name in of if hasattr(registry.find("world", name), "mjcf")}
    assert robots == set(ROBOTS)
