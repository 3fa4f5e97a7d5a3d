"""Settings that work, per distribution, for every preset (commands and curves: docs/results)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TUNED: Mapping[str, Mapping[str, Any]] = {
    "HalfCheetahDirH100": {"num_envs": 160, "meta_batch_size": 8},
    "HalfCheetahDir": {"num_envs": 160, "meta_batch_size": 8},
    # Trials of few episodes: trained to adapt on as few rollouts, so with one value network for all tasks.
    "GridNavi": {"num_envs": 80, "meta_batch_size": 80, "inner_lr": 5.0, "baseline": "value"},
    "PointGoalSparse": {"num_envs": 40, "meta_batch_size": 40, "inner_lr": 0.5, "baseline": "value"},
    "Bandit5N10": {"num_envs": 200, "meta_batch_size": 40, "inner_lr": 5.0, "trial_shots": 5},
}
