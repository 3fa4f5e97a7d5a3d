"""The configuration that a task distribution gives to its world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WorldConfig:
    """The part of a task distribution that configures a world."""

    name: str
    """name of the distribution, for error messages"""
    goal: str | None
    """name of a registered goal; None for a world whose rules define the goal"""
    settings: Mapping[str, Any]
    """settings of the world that all tasks share"""
    parameters: tuple[str, ...]
    """names of the parameters that vary, sorted"""
