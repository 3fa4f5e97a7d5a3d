"""Small worlds with known optima: guess a hidden number, or pick a hidden action."""

from __future__ import annotations

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl import Choice, Parameter, TaskDistribution, registry
from metarl.core.simulation import Outcome, Simulation
from metarl.core.world import World


class GuessSimulation(Simulation):
    """Reward -(a - target)^2, with constant observations. With `fragile`, an action below -0.5 ends the episode."""

    may_terminate = True

    def __init__(self, num_envs, device, fragile):
        self.num_envs, self.device, self.fragile = num_envs, device, fragile
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
        self.reward_terms = {}

    def assign(self, task, mask):
        self.target = task["target"].float()

    def reset(self, mask, random):
        pass

    def step(self, action, active, random):
        action = action.clamp(-1, 1)
        reward = -(action[:, 0] - self.target).square() * active
        self.reward_terms = {"guess": reward}
        terminated = (action[:, 0] < -0.5) & self.fragile & active
        return Outcome(reward, terminated, torch.zeros(self.num_envs, dtype=torch.int64))

    def observe(self):
        return torch.zeros(self.num_envs, 1)


class Guess(World):
    name = "Guess"

    def parameters(self, config):
        return (Parameter("target", low=-1, high=1),)

    def build(self, config, num_envs, device, engine):
        return GuessSimulation(num_envs, device, bool(config.settings.get("fragile", False)))


class PickSimulation(Simulation):
    """Reward 1 for the hidden one of 3 actions, with observations of zeros: vectors, or 2 planes of 4 x 5."""

    may_terminate = False

    def __init__(self, num_envs, device, shape):
        self.num_envs, self.device, self.shape = num_envs, device, shape
        self.observation_space = gym.spaces.Box(0.0, 1.0, shape, np.float32)
        self.action_space = gym.spaces.Discrete(3)

    def assign(self, task, mask):
        self.target = task["target"].long()

    def reset(self, mask, random):
        pass

    def step(self, action, active, random):
        reward = (action == self.target).float() * active
        self.reward_terms = {"pick": reward}
        return Outcome(reward, torch.zeros_like(active), torch.zeros(self.num_envs, dtype=torch.int64))

    def observe(self):
        return torch.zeros(self.num_envs, *self.shape)


class Pick(World):
    name = "Pick"

    def parameters(self, config):
        return (Parameter("target", low=0, high=2, integer=True),)

    def build(self, config, num_envs, device, engine):
        return PickSimulation(num_envs, device, (4, 5, 2) if config.settings.get("planes") else (1,))


@pytest.fixture(params=["vector", "planes"])
def pick(request, monkeypatch):
    """Three tasks with discrete actions; 4 steps, 2 episodes."""
    monkeypatch.setitem(registry._registered["world"], "Pick", Pick())
    return TaskDistribution(
        "PickThree", world="Pick", parameters={"target": Choice((0, 1, 2))},
        settings={"planes": request.param == "planes"}, horizon=4, episodes=2,
    )  # fmt: skip


@pytest.fixture
def guess(monkeypatch):
    """Two tasks: the target is -0.4 or +0.4; 6 steps, 2 episodes."""
    monkeypatch.setitem(registry._registered["world"], "Guess", Guess())
    return TaskDistribution(
        "GuessTwo", world="Guess", parameters={"target": Choice((-0.4, 0.4))}, horizon=6, episodes=2
    )


@pytest.fixture
def fragile_guess(guess):
    """`guess` with low actions that end an episode, so that environments rest."""
    return replace(guess, name="GuessFragile", settings={"fragile": True})
