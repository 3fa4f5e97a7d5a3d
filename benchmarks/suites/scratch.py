"""How single tasks are learned from nothing: what an agent that adapts is spared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from metarl.checks import check_whole

SCRATCH = "scratch"  # what its lives are kept under, beside the eval sets


@dataclass(frozen=True)
class Scratch:
    """Some of a family's scored tasks, each learned alone by an algorithm of stable-baselines3."""

    steps: int
    """env steps on each task"""
    tasks: int = 8
    """the first so many of the scored eval set"""
    seeds: int = 1
    """trainings on each task; the tasks are trainings of their own already"""
    marks: int = 20
    """how often on the way it is tested, and once before"""
    replicates: int = 4
    """episodes of a test"""
    num_envs: int = 32
    """environments that it learns in"""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """of the algorithm, here, in place of its own"""

    def __post_init__(self) -> None:
        check_whole(self, "steps", "tasks", "seeds", "marks", "replicates", "num_envs", low=1)

    @property
    def budget(self) -> int:
        """Env steps of all tasks together."""
        return self.steps * self.tasks

    def limited(self, steps: int) -> Scratch:
        """With at most so many env steps, all tasks together."""
        return replace(self, steps=max(1, min(self.steps, steps // self.tasks)))
