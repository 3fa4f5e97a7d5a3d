"""Settings per distribution, for every preset; those of the robots and of PointNav have curves in docs/results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TUNED: Mapping[str, Mapping[str, Any]] = {
    "HalfCheetahDirH100": {"num_envs": 160, "meta_batch_size": 8},
    "HalfCheetahDir": {"num_envs": 160, "meta_batch_size": 8},
    # Adapted on 20, 10 and 10 rollouts; the trial's agent takes its step after `trial_shots`, one by default.
    "PointNav": {"num_envs": 400, "meta_batch_size": 20},
    "HalfCheetahVel": {"num_envs": 100, "meta_batch_size": 10, "inner_lr": 0.5},
    "HopperRandParams": {"num_envs": 200, "meta_batch_size": 20, "inner_lr": 0.3},
    # Trials of few episodes: trained to adapt on as few rollouts, so with one value network for all tasks. For short
    # trainings: promp on GridNavi adapts at 0.6M env steps and no longer at 2M; on PointGoalSparse not at 1M either.
    "GridNavi": {"num_envs": 80, "meta_batch_size": 80, "inner_lr": 5.0, "baseline": "value"},
    "PointGoalSparse": {"num_envs": 40, "meta_batch_size": 40, "inner_lr": 0.5, "baseline": "value"},
    "Bandit5N10": {"num_envs": 200, "meta_batch_size": 40, "inner_lr": 5.0, "trial_shots": 5},
}
