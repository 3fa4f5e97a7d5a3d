"""Settings that work, per distribution, for every preset (commands and curves: docs/results)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TUNED: Mapping[str, Mapping[str, Any]] = {}
