"""A small world for the tests of the Gymnasium API: early ends, discrete actions, and parameters of several types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor

import metarl
from metarl import registry
from metarl.core.rng import CounterRNG
from metarl.core.simulation import OVERFLOW, Outcome, Simulation
from metarl.core.world import World

SIZE = 6


class Grid(World):
    """Find a cell of a grid. Cells with y = 5 set the flag "diverged", cells with x = 5 the flag "overflow"."""

    name = "TestGrid"

    def parameters(self, config):
        return (
            metarl.Parameter("slip", low=0, high=1, neutral=0.2),
            metarl.Parameter("goal", shape=(2,), low=0, high=SIZE - 1, neutral=3, integer=True),
            metarl.Parameter("luck", low=0, high=3, integer=True),
        )

    def build(self, config, num_envs, device, engine):
        return GridSimulation(num_envs)


class GridSimulation(Simulation):
    may_terminate = True

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.device = torch.device("cpu")
        self.observation_space = gym.spaces.Box(0, SIZE, (2,), np.float32)
        self.action_space = gym.spaces.Discrete(4)
        self.place = torch.zeros(num_envs, 2)
        self.reward_terms = {}

    def assign(self, task: Mapping[str, Tensor], mask: Tensor) -> None:
        self.task = {name: values.clone() for name, values in task.items()}

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        self.place = torch.where(mask[:, None], random.integers("start", SIZE - 2, (2,)).float(), self.place)

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        slipped = random.uniform("slip") < self.task["slip"]
        action = torch.where(slipped, random.integers("where to", 4), action)
        move = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])[action]
        self.place = torch.where(active[:, None], (self.place + move).clamp(0, SIZE - 1), self.place)
        at_goal = (self.place == self.task["goal"]).all(1) & active
        self.reward_terms = {
            "found": at_goal.float(),
            "luck": self.task["luck"] * random.normal("luck") * active,
            "time": active * -0.1,
        }
        overflow, diverged = (active & (place == SIZE - 1) for place in self.place.unbind(1))
        reward = sum(self.reward_terms.values(), torch.zeros(self.num_envs))
        return Outcome(reward, at_goal, overflow * OVERFLOW, diverged)

    def observe(self) -> Tensor:
        return self.place.clone()


@pytest.fixture(scope="session")
def grid() -> Iterator[metarl.TaskDistribution]:
    registry.add(Grid)
    yield metarl.TaskDistribution(
        "TestGridFind", world="TestGrid",
        parameters={
            "slip": metarl.Uniform(0.0, 0.5),
            "luck": metarl.Integers(0, 3),
            "goal": metarl.Integers(0, SIZE - 1, shape=(2,)),
        },
        horizon=9, episodes=2,
    )  # fmt: skip
    del registry._registered["world"]["TestGrid"]
