"""Random actions, drawn before the clock starts."""

from __future__ import annotations

import gymnasium as gym
import numpy as np

from metarl.core.rng import numpy_generator
from metarl.errors import MetarlError


def random_actions(space: gym.Space, steps: int, num_envs: int) -> np.ndarray:
    """Return uniform actions [T, B, *action] of the space of one environment: float32 for Box, int64 for Discrete.

    Raises MetarlError for any other space.
    """
    rng = numpy_generator("speed", "actions")
    shape = (steps, num_envs, *(space.shape or ()))
    if isinstance(space, gym.spaces.Box):
        return rng.uniform(space.low, space.high, shape).astype(np.float32)
    if isinstance(space, gym.spaces.Discrete):
        return rng.integers(space.n, size=shape) + space.start
    raise MetarlError(f"cannot draw actions from {space}: speed is measured in a Box or a Discrete space")
