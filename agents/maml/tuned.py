"""Tuned settings by distribution, for all presets; docs/results has curves for the robots and PointNav."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TUNED: Mapping[str, Mapping[str, Any]] = {
    "HalfCheetahDirH100": {"num_envs": 160, "meta_batch_size": 8},
    "HalfCheetahDir": {"num_envs": 160, "meta_batch_size": 8},
    # 20, 10 and 10 rollouts for an inner step in training; in evaluation it is `trial_shots` episodes, 1 by default.
    "PointNav": {"num_envs": 400, "meta_batch_size": 20},
    "HalfCheetahVel": {"num_envs": 100, "meta_batch_size": 10, "inner_lr": 0.5},
    "HopperRandParams": {"num_envs": 200, "meta_batch_size": 20, "inner_lr": 0.3},
    # Trials of few episodes: an inner step has as few rollouts in training, hence one value network for all tasks. For
    # short trainings: promp on GridNavi adapts at 0.6M env steps and no longer at 2M; on PointGoalSparse not at 1M.
    "GridNavi": {"num_envs": 80, "meta_batch_size": 80, "inner_lr": 5.0, "baseline": "value"},
    "PointGoalSparse": {"num_envs": 40, "meta_batch_size": 40, "inner_lr": 0.5, "baseline": "value"},
    "Bandit5N10": {"num_envs": 200, "meta_batch_size": 40, "inner_lr": 5.0, "trial_shots": 5},
}
