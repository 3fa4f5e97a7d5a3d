"""Settings that work, per distribution, for every preset (commands and curves: docs/results)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TUNED: Mapping[str, Mapping[str, Any]] = {
    "HalfCheetahDirH100": {"num_envs": 160, "meta_batch_size": 8},
    "HalfCheetahDir": {"num_envs": 160, "meta_batch_size": 8},
}
