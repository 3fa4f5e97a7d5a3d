"""Settings that work, per distribution, each with what it reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TUNED: Mapping[str, Mapping[str, Any]] = {
    "HalfCheetahDir": {"target_kl": 0.015},
}
