"""Settings that work, per distribution, each with what it reached (commands and curves: docs/results)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TUNED: Mapping[str, Mapping[str, Any]] = {
    "HalfCheetahDir": {"gamma": 0.99, "lam": 0.95},
    "PointGoalSparse": {"num_envs": 128, "gamma": 0.99, "lam": 0.95},
}
