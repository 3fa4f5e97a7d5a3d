"""Settings that work, per distribution, each with what it reached (commands and curves: docs/results)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SMALL = {"hidden_size": 64, "head_size": 64, "entropy_coef": 0.01, "learning_rate": 2e-3}

TUNED: Mapping[str, Mapping[str, Any]] = {
    "HalfCheetahDir": {"gamma": 0.99, "lam": 0.95},
    "GridNavi": {**SMALL, "num_envs": 64, "gamma": 0.95, "lam": 0.95},
    "Bandit5N10": {**SMALL, "num_envs": 128, "gamma": 0.99, "lam": 0.9},
    "DarkRoom": {"num_envs": 128, "gamma": 0.99, "lam": 0.95, "entropy_coef": 0.01},
    "PointGoalSparse": {"num_envs": 128, "gamma": 0.99, "lam": 0.95},
}
