"""What was lived on a suite, by method, distribution and eval set, in the shape that scores are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metarl.benchmarks.job.folder import RunKey
from metarl.benchmarks.results.references import ScoreAnchors
from metarl.benchmarks.results.scores import Scale, Scores
from metarl.benchmarks.suites.method import Method
from metarl.benchmarks.suites.suite import Suite, SuiteEntry
from metarl.tasks.task_set import TaskSet
from metarl.training.eval_file import SavedEval

BINS = 10  # parts of an episode


@dataclass(frozen=True)
class SeedResults:
    """One method on one eval set: S seeds, K episodes of at most H steps, N tasks, E replicates."""

    seeds: tuple[int, ...]
    returns: np.ndarray  # float64 [S, K, N, E]
    steps: np.ndarray  # int [S, K, N, E], of experience
    rates: np.ndarray  # float64 [S, K, BINS, N], mean reward a step in parts of an episode, replicates averaged
    middles: np.ndarray  # [BINS], the middle of each part, in steps
    horizon: int  # H

    @staticmethod
    def of(seed: int, lived: SavedEval) -> SeedResults:
        """One seed's; without single rewards, which would not fit into memory for many cells."""
        horizon = lived.reward.shape[1]
        edges = np.unique(np.linspace(0, horizon, BINS + 1).astype(int))
        sums = np.add.reduceat(lived.reward.mean(3, dtype=np.float64), edges[:-1], axis=1)
        rates = sums / np.diff(edges)[None, :, None]
        middles = (edges[1:] + edges[:-1]) / 2
        return SeedResults((seed,), lived.returns[None], lived.steps[None], rates[None], middles, horizon)

    @staticmethod
    def concatenate(parts: Sequence[SeedResults]) -> SeedResults:
        """Of several seeds, in their order."""
        parts = sorted(parts, key=lambda part: part.seeds)
        returns, steps, rates = (np.concatenate([getattr(p, a) for p in parts]) for a in ("returns", "steps", "rates"))
        return SeedResults(
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
    methods: dict[str, Method]
    tasks: dict[str, dict[str, TaskSet]]  # distribution -> eval set -> frozen tasks
    lives: dict[tuple[str, str, str], SeedResults]  # (distribution, method, eval set)
    metas: dict[RunKey, Mapping[str, Any]]
    failures: dict[RunKey, str]
    unfinished: list[RunKey]
    anchors: dict[str, dict[str, ScoreAnchors]] = field(default_factory=dict)  # distribution -> eval set
    sources: list[dict[str, Any]] = field(default_factory=list)  # of each folder: where it is and how it was made
    warnings: list[str] = field(default_factory=list)

    def present(self, entry: SuiteEntry) -> list[str]:
        """Entrants that have lived on this distribution, in the order of the plan."""
        return [name for name in self.methods if (entry.label, name, entry.scored) in self.lives]

    def scale(self, entry: SuiteEntry, eval_set: str) -> Scale | None:
        """How returns on this eval set become scores; None without references. The denominator is the scored eval set's."""
        of = self.anchors.get(entry.label, {})
        if eval_set not in of or entry.scored not in of:
            return None
        return Scale(of[eval_set].floor.mean, of[eval_set].best.mean, of[entry.scored].denominator)

    def scores(self, entry: SuiteEntry, method: str, eval_set: str) -> Scores | None:
        """None where the method has not lived there or there is no scale."""
        scale, lives = self.scale(entry, eval_set), self.lives.get((entry.label, method, eval_set))
        return Scores(scale.scores(lives.returns)) if scale and lives else None
