"""Settings of learning from scratch: a standard RL algorithm learns single tasks, to compare adaptation with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from metarl.checks import check_whole

SCRATCH = "scratch"  # the name that its results are stored under, beside the eval sets


@dataclass(frozen=True)
class ScratchSettings:
    """Some of an entry's scored tasks, each learned alone by an algorithm of stable-baselines3."""

    steps: int
    """env steps on each task"""
    tasks: int = 8
    """number of tasks, the first of the scored eval set"""
    seeds: int = 1
    """training seeds on each task"""
    marks: int = 20
    """number of tests in a training; one more precedes it"""
    replicates: int = 4
    """episodes of a test"""
    num_envs: int = 32
    """environments of a training"""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """the algorithm's settings on this entry, in place of the method's"""

    def __post_init__(self) -> None:
        check_whole(self, "steps", "tasks", "seeds", "marks", "replicates", "num_envs", low=1)

    @property
    def budget(self) -> int:
        """Env steps over all tasks."""
        return self.steps * self.tasks

    def limited(self, steps: int) -> ScratchSettings:
        """Return the settings with at most `steps` env steps over all tasks."""
        return replace(self, steps=max(1, min(self.steps, steps // self.tasks)))
