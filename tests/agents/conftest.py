"""A world small enough to know its optimum: guess a hidden number."""

from __future__ import annotations

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl import Choice, Parameter, TaskDistribution, registry
from metarl.world import Outcome, Simulation, World


class GuessSimulation(Simulation):
    """Reward -(a - target)^2; nothing to see. With `fragile`, an action below -0.5 ends the episode."""

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

    def parameters(self, distribution):
        return (Parameter("target", low=-1, high=1),)

    def build(self, distribution, num_envs, device, engine):
        return GuessSimulation(num_envs, device, bool(distribution.settings.get("fragile", False)))


@pytest.fixture
def guess(monkeypatch):
    """A two-task family: the target is -0.4 or +0.4; 6 steps, 2 episodes."""
    monkeypatch.setitem(registry._registered["world"], "Guess", Guess())
    return TaskDistribution(
        "GuessTwo", world="Guess", parameters={"target": Choice((-0.4, 0.4))}, horizon=6, episodes=2
    )


@pytest.fixture
def fragile_guess(guess):
    """The same, where low actions end an episode, so that environments rest."""
    return replace(guess, name="GuessFragile", settings={"fragile": True})
