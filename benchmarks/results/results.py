"""The evaluations of a suite, by distribution, method and eval set, as arrays that scores are computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metarl.benchmarks.job.benchmark_folder import RunKey
from metarl.benchmarks.results.references import ScoreAnchors
from metarl.benchmarks.results.scores import Scale, Scores
from metarl.benchmarks.suites.method import Method
from metarl.benchmarks.suites.suite import Suite, SuiteEntry
from metarl.tasks.task_set import TaskSet
from metarl.training.eval_file import SavedEval

BINS = 10  # time bins of an episode


@dataclass(frozen=True)
class SeedResults:
    """One method on one eval set: S seeds, K episodes of at most H steps, N tasks, E replicates."""

    seeds: tuple[int, ...]
    returns: np.ndarray  # float64 [S, K, N, E]
    steps: np.ndarray  # int [S, K, N, E], steps taken
    rates: np.ndarray  # float64 [S, K, BINS, N], mean reward per step in each time bin, replicates averaged
    middles: np.ndarray  # [BINS], the middle of each bin, in steps
    horizon: int  # H

    @staticmethod
    def of(seed: int, saved: SavedEval) -> SeedResults:
        """Return the results of one seed, without single rewards: those of many run keys would not fit into memory."""
        horizon = saved.reward.shape[1]
        edges = np.unique(np.linspace(0, horizon, BINS + 1).astype(int))
        sums = np.add.reduceat(saved.reward.mean(3, dtype=np.float64), edges[:-1], axis=1)
        rates = sums / np.diff(edges)[None, :, None]
        middles = (edges[1:] + edges[:-1]) / 2
        return SeedResults((seed,), saved.returns[None], saved.steps[None], rates[None], middles, horizon)

    @staticmethod
    def concatenate(parts: Sequence[SeedResults]) -> SeedResults:
        """Return the results of several seeds, sorted by seed."""
        parts = sorted(parts, key=lambda part: part.seeds)
        returns, steps, rates = (np.concatenate([getattr(p, a) for p in parts]) for a in ("returns", "steps", "rates"))
        return SeedResults(
            tuple(s for p in parts for s in p.seeds), returns, steps, rates, parts[0].middles, parts[0].horizon
        )

    @property
    def episodes(self) -> int:
        """The number of episodes of a trial, K."""
        return self.returns.shape[1]

    @property
    def time(self) -> np.ndarray:
        """[K * BINS]: the middle of each bin of each episode, in steps since the start of the trial."""
        return (np.arange(self.episodes)[:, None] * self.horizon + self.middles).ravel()


@dataclass
class Results:
    """All evaluations of a suite, and the run keys that have none."""

    suite: Suite  # the part of it that the folders include
    full_suite: Suite  # with all its distributions and env steps
    methods: dict[str, Method]
    tasks: dict[str, dict[str, TaskSet]]  # distribution -> eval set -> frozen tasks
    evals: dict[tuple[str, str, str], SeedResults]  # (distribution, method, eval set)
    metas: dict[RunKey, Mapping[str, Any]]  # of the eval files
    failures: dict[RunKey, str]  # the reasons
    unfinished: list[RunKey]
    anchors: dict[str, dict[str, ScoreAnchors]] = field(default_factory=dict)  # distribution -> eval set
    sources: list[dict[str, Any]] = field(default_factory=list)  # path and command of each folder
    warnings: list[str] = field(default_factory=list)

    def present(self, entry: SuiteEntry) -> list[str]:
        """Return the methods that were evaluated on the entry's scored eval set, in the order of the plan."""
        return [name for name in self.methods if (entry.label, name, entry.scored) in self.evals]

    def scale(self, entry: SuiteEntry, eval_set: str) -> Scale | None:
        """Return the scale of an eval set, with the denominator of the scored one; None without score anchors."""
        anchors = self.anchors.get(entry.label, {})
        if eval_set not in anchors or entry.scored not in anchors:
            return None
        return Scale(anchors[eval_set].random.mean, anchors[eval_set].oracle.mean, anchors[entry.scored].denominator)

    def scores(self, entry: SuiteEntry, method: str, eval_set: str) -> Scores | None:
        """Return a method's scores on an eval set; None where it was not evaluated, or there is no scale."""
        scale, result = self.scale(entry, eval_set), self.evals.get((entry.label, method, eval_set))
        return Scores(scale.scores(result.returns)) if scale and result else None
