"""Fixtures of all tests: one thread, a registry restored after each test, and a robot that falls."""

from collections.abc import Callable, Iterator

import gymnasium as gym
import pytest
import torch

import metarl
from metarl import registry
from metarl.core.trials import Step, Trials
from metarl.envs.robots.robot import Robot

torch.set_num_threads(1)

POLE = """
<mujoco>
  <option timestep="0.01"/>
  <worldbody>
    <body name="cart">
      <joint name="slide" type="slide" axis="1 0 0" damping="0.5"/>
      <geom type="box" size="0.1 0.1 0.05" mass="1" contype="0" conaffinity="0"/>
      <body name="pole">
        <joint name="hinge" type="hinge" axis="0 1 0" damping="0.01"/>
        <geom type="capsule" fromto="0 0 0 0 0 0.5" size="0.02" mass="0.2" contype="0" conaffinity="0"/>
        <body name="tip" pos="0 0 0.5"><geom type="sphere" size="0.03" mass="0.1" contype="0" conaffinity="0"/></body>
      </body>
    </body>
  </worldbody>
  <actuator><motor joint="slide" gear="10" ctrlrange="-1 1"/></actuator>
</mujoco>
"""


class Pole(Robot):
    """A cart with a pole whose hinge has no actuator; the pole has fallen at 0.2 rad from upright."""

    name = "TestPole"
    mjcf = POLE
    frame_skip = 2
    derived = ("xpos",)
    observation_parts = {
        "position": lambda p: p.qpos, "velocity": lambda p: p.qvel, "tip": lambda p: p.data("xpos")[:, 3],
    }  # fmt: skip
    observation = ("position", "velocity", "tip")
    weights = {"control": 0.1}
    qpos_noise = 0.15
    qvel_noise = 0.01

    def fallen(self, physics):
        return physics.qpos[:, 1].abs() > 0.2


@pytest.fixture(autouse=True)
def _restore_registry() -> Iterator[None]:
    """Restore the registry after each test."""
    tables = [*registry._registered.values(), registry._installed, registry._shipped, gym.registry]
    before = [table.copy() for table in tables]
    points = {
        kind: dict(entries) for kind, entries in registry._installed.items()
    }  # loading removes the entry points of distributions
    yield
    for table, entries in zip(tables, before, strict=True):
        table.clear()
        table.update(entries)
    registry._installed.update(points)


@pytest.fixture
def falling_robot() -> metarl.TaskDistribution:
    """A distribution over TestPole, with H 20 and K 2; the pole falls early under strong gravity, never under weak."""
    metarl.register(Pole)
    return metarl.register(
        metarl.TaskDistribution(
            "TestFalling", world="TestPole", goal="velocity",
            parameters={"velocity": metarl.Uniform(0.0, 1.0), "gravity": metarl.LogUniform(0.01, 10.0)},
            horizon=20, episodes=2,
        )
    )  # fmt: skip


@pytest.fixture
def roll() -> Callable[..., tuple[torch.Tensor, list[Step]]]:
    """roll(env, tasks, seed=0, keys=None, steps=None): run a trial with actions that depend only on key and time.

    Returns the first observation and the steps.
    """

    def run(env: Trials, tasks, seed=0, keys=None, steps=None):
        keys = torch.arange(env.num_envs) if keys is None else keys
        first, results = env.begin(tasks, seed, keys), []
        size = torch.arange(env.action_space.shape[0])  # type: ignore[index]
        while not env.done and len(results) != steps:
            results.append(env.step(torch.sin(keys[:, None] + 1.7 * size + 0.3 * len(results)).float()))
        return first, results

    return run
