"""The games' distributions."""

from __future__ import annotations

from metarl.distribution import TaskDistribution

GAMES: tuple[TaskDistribution, ...] = ()
