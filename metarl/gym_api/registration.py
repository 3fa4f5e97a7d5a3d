"""Gymnasium ids of task distributions, `metarl/<Name>-v<version>`."""

from __future__ import annotations

import re

import gymnasium as gym

from metarl.errors import MetarlError
from metarl.tasks.task_distribution import TaskDistribution

NAMESPACE = "metarl"


def register_ids(distribution: TaskDistribution) -> str:
    """Register a distribution for `gym.make` and `gym.make_vec`, and return its id. A second call changes nothing.

    Entry points are strings, so that `spec.to_json()` works. A name has one version at a time. The id of another
    version is removed, because it would make this one.
    """
    if not re.fullmatch(r"[\w:.-]+", distribution.name):
        raise MetarlError(f"{distribution.name!r} cannot be a Gymnasium id: use letters, digits and _ : . - only")
    env_id = f"{NAMESPACE}/{distribution.name}-v{distribution.version}"
    for known, spec in list(gym.registry.items()):
        if spec.namespace == NAMESPACE and spec.name == distribution.name and known != env_id:
            del gym.registry[known]
    if env_id not in gym.registry:
        gym.register(
            env_id,
            entry_point="metarl.gym_api.env:MetarlEnv",
            vector_entry_point="metarl.gym_api.vector_env:VectorEnv",
            kwargs={"distribution": distribution.name},
        )
    return env_id
