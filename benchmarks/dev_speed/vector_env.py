"""Gymnasium vector environments that reset with the next step: this package's and other libraries'."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

import metarl
from metarl.benchmarks.dev_speed.actions import random_actions
from metarl.benchmarks.dev_speed.side import Side
from metarl.gym_api.registration import register_ids
from metarl.tasks.task_distribution import TaskDistribution


class VectorEnvironment(Side):
    """Whole episodes of random actions. A call that resets an environment is timed, but is no env step."""

    def __init__(self, env: Any, horizon: int, episodes: int = 1, seed: int | None = 0) -> None:
        self.env = env
        self.num_envs: int = len(env.reset(seed=seed)[0])
        space = getattr(env, "single_action_space", env.action_space)  # EnvPool's action_space is of one environment
        self.actions = list(random_actions(space, (horizon + 1) * episodes, self.num_envs))
        self.ended = np.zeros(self.num_envs, bool)

    def work(self) -> int:
        resets = []
        for action in self.actions:
            _, _, terminated, truncated, _ = self.env.step(action)
            resets.append(self.ended)
            self.ended = terminated | truncated
        return len(resets) * self.num_envs - int(np.sum(resets))

    def close(self) -> None:
        self.env.close()


def our_vector_env(distribution: TaskDistribution, num_envs: int) -> VectorEnvironment:
    """Return the vector environment that `gym.make_vec` makes of a distribution with default options."""
    metarl.register(distribution)
    env = gym.make_vec(register_ids(distribution), num_envs)
    return VectorEnvironment(env, distribution.horizon, distribution.episodes)
