"""What was lived on a suite, by entrant, distribution and panel, in the shape that scores are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metarl.benchmarks.job.folder import Cell
from metarl.benchmarks.references import Ends
from metarl.benchmarks.scores import Scale, Scores
from metarl.benchmarks.suites.entrant import Entrant
from metarl.benchmarks.suites.suite import Family, Suite
from metarl.record import Lived
from metarl.tasks import TaskSet

BINS = 10  # parts of an episode


@dataclass(frozen=True)
class Lives:
    """One entrant on one panel: S seeds, K episodes of at most H steps, N tasks, E replicates."""

    seeds: tuple[int, ...]
    returns: np.ndarray  # float64 [S, K, N, E]
    steps: np.ndarray  # int [S, K, N, E], of experience
    rates: np.ndarray  # float64 [S, K, BINS, N], mean reward a step in parts of an episode, replicates averaged
    middles: np.ndarray  # [BINS], the middle of each part, in steps
    horizon: int  # H

    @staticmethod
    def of(seed: int, lived: Lived) -> Lives:
        """One seed's; without single rewards, which would not fit into memory for many cells."""
        horizon = lived.reward.shape[1]
        edges = np.unique(np.linspace(0, horizon, BINS + 1).astype(int))
        sums = np.add.reduceat(lived.reward.mean(3, dtype=np.float64), edges[:-1], axis=1)
        rates = sums / np.diff(edges)[None, :, None]
        middles = (edges[1:] + edges[:-1]) / 2
        return Lives((seed,), lived.returns[None], lived.steps[None], rates[None], middles, horizon)

    @staticmethod
    def together(parts: Sequence[Lives]) -> Lives:
        """Of several seeds, in their order."""
        parts = sorted(parts, key=lambda part: part.seeds)
        returns, steps, rates = (np.concatenate([getattr(p, a) for p in parts]) for a in ("returns", "steps", "rates"))
        return Lives(
            tuple(s for p in parts for s in p.seeds), returns, steps, rates, parts[0].middles, parts[0].horizon
        )

    @property
    def episodes(self) -> int:
        return self.returns.shape[1]

    @property
    def time(self) -> np.ndarray:
        """[K * BINS]: where each part of each episode lies in the trial, in steps."""
        return (np.arange(self.episodes)[:, None] * self.horizon + self.middles).ravel()


@dataclass
class Results:
    """Everything that is there, and what is missing."""

    suite: Suite
    whole: Suite  # as it is given, with all its distributions and env steps
    entrants: dict[str, Entrant]
    tasks: dict[str, dict[str, TaskSet]]  # distribution -> panel -> frozen tasks
    lives: dict[tuple[str, str, str], Lives]  # (distribution, entrant, panel)
    metas: dict[Cell, Mapping[str, Any]]
    failures: dict[Cell, str]
    unfinished: list[Cell]
    ends: dict[str, dict[str, Ends]] = field(default_factory=dict)  # distribution -> panel
    sources: list[dict[str, Any]] = field(default_factory=list)  # of each folder: where it is and how it was made
    warnings: list[str] = field(default_factory=list)

    def present(self, family: Family) -> list[str]:
        """Entrants that have lived on this distribution, in the order of the plan."""
        return [name for name in self.entrants if (family.label, name, family.scored) in self.lives]

    def scale(self, family: Family, panel: str) -> Scale | None:
        """How returns on this panel become scores; None without references. The denominator is the scored panel's."""
        of = self.ends.get(family.label, {})
        if panel not in of or family.scored not in of:
            return None
        return Scale(of[panel].floor.mean, of[panel].best.mean, of[family.scored].denominator)

    def scores(self, family: Family, entrant: str, panel: str) -> Scores | None:
        """None where the entrant has not lived there or there is no scale."""
        scale, lives = self.scale(family, panel), self.lives.get((family.label, entrant, panel))
        return Scores(scale.scores(lives.returns)) if scale and lives else None
