"""Any Gymnasium vector environment that resets by itself with the next step: our NumPy face and its peers."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

import metarl
from metarl.benchmarks.dev_speed.actions import random_actions
from metarl.benchmarks.dev_speed.timing import Side
from metarl.gym_api.registration import register_ids
from metarl.tasks.task_distribution import TaskDistribution


class VectorSide(Side):
    """Whole episodes of random actions; a call that resets a lane is inside the clock and not counted as a step."""

    def __init__(self, env: Any, horizon: int, episodes: int = 1, seed: int | None = 0) -> None:
        self.env = env
        self.num_envs: int = len(env.reset(seed=seed)[0])
        space = getattr(env, "single_action_space", env.action_space)  # EnvPool's action_space is that of one
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


def our_face(distribution: TaskDistribution, num_envs: int) -> VectorSide:
    """What `gym.make_vec` makes of a distribution: default options, a trial (a task) in every lane."""
    metarl.register(distribution)
    return VectorSide(gym.make_vec(register_ids(distribution), num_envs), distribution.horizon, distribution.episodes)
