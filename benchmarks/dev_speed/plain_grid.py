"""GridNavi as a plain Gymnasium environment: the same rules stepped in Python, one environment at a time."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from metarl.benchmarks.dev_speed.vector_env import VectorEnvironment

MOVES = ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0))


class PlainGridNavi(gym.Env[np.ndarray, Any]):
    """The rules of `metarl.envs.games.grid_navi` with a given goal; an episode is truncated after `horizon` steps."""

    def __init__(self, size: int = 5, goal: tuple[int, int] = (4, 4), horizon: int = 15) -> None:
        self.size, self.goal, self.horizon = size, goal, horizon
        self.observation_space = gym.spaces.Box(0.0, 1.0, (2 * size,), np.float32)
        self.action_space = gym.spaces.Discrete(len(MOVES))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.x = self.y = self.time = 0
        return self._observation(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict]:
        dx, dy = MOVES[action]
        self.x = min(max(self.x + dx, 0), self.size - 1)
        self.y = min(max(self.y + dy, 0), self.size - 1)
        self.time += 1
        reward = 1.0 if (self.x, self.y) == self.goal else -0.1
        return self._observation(), reward, False, self.time >= self.horizon, {}

    def _observation(self) -> np.ndarray:
        obs = np.zeros(2 * self.size, np.float32)
        obs[self.x] = obs[self.size + self.y] = 1.0
        return obs


def plain_grid(num_envs: int) -> VectorEnvironment:
    """Return a SyncVectorEnv of plain grids."""
    return VectorEnvironment(gym.vector.SyncVectorEnv([PlainGridNavi] * num_envs), horizon=15, episodes=4)
