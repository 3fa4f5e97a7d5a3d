"""Score anchors: the returns of random actions, of an oracle that is given the task, and of a Bayes-optimal agent.

`metarl references SUITE` computes them once and stores them beside the suite, with standard errors and the hash of the
frozen tasks. Anchors that are not stored are computed from the results of a benchmark.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metarl.errors import MetarlError

RANDOM = "random"  # the method of score 0
FORMAT, VERSION = "metarl references", 3

References = dict[str, dict[str, dict[str, "AnchorReturns"]]]  # distribution -> eval set -> method


@dataclass(frozen=True)
class AnchorReturns:
    """The return of an episode of one method on each of N tasks."""

    mean: np.ndarray  # [N]
    error: np.ndarray  # [N], standard error over replicates (and seeds); NaN for a single trial
    hash: str  # of the tasks
    source: str  # the method with its seeds, budget and replicates
    world: Mapping[str, str]  # the world's fingerprint

    @staticmethod
    def of(returns: np.ndarray, tasks: str, source: str, world: Mapping[str, str]) -> AnchorReturns:
        """Return mean and standard error of returns [S, K, N, E]; tasks: their hash.

        The independent samples are the trials (seed, replicate), not the episodes of a trial.
        """
        trials = np.moveaxis(returns.mean(1), 1, 0).reshape(returns.shape[2], -1)
        std = trials.std(1, ddof=1) if trials.shape[1] > 1 else np.full(len(trials), np.nan)
        return AnchorReturns(trials.mean(1), std / np.sqrt(trials.shape[1]), tasks, source, world)

    @property
    def mean_error(self) -> float:
        """The standard error of the mean over these tasks."""
        return float(np.sqrt((self.error**2).sum()) / len(self.error))

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON data; NaN as None."""
        values = {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in asdict(self).items()}
        return values | {"error": [None if np.isnan(e) else e for e in self.error.tolist()]}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> AnchorReturns:
        """Return what `to_json` wrote."""
        mean, error = (np.array(data[name], dtype=float) for name in ("mean", "error"))
        return AnchorReturns(mean, error, data["hash"], data["source"], data["world"])


@dataclass(frozen=True)
class ScoreAnchors:
    """The returns that scores are based on, on one eval set of N tasks."""

    random: AnchorReturns  # score 0
    oracle: AnchorReturns  # score 1
    bayes_optimal: AnchorReturns | None = None  # where it is known

    @property
    def denominator(self) -> float:
        """The mean difference between oracle and random; MetarlError where it is not positive."""
        difference = float((self.oracle.mean - self.random.mean).mean())
        if not difference > 0:
            raise MetarlError(
                f"the oracle ({self.oracle.source}) has no higher return than random actions: train it for longer"
            )
        return difference

    @property
    def denominator_error(self) -> float:
        """The standard error of the denominator."""
        return float(np.hypot(self.random.mean_error, self.oracle.mean_error))


def to_file_content(stored: References, meta: Mapping[str, Any]) -> bytes:
    """Return the content of a references file."""
    data = {
        label: {
            eval_set: {name: returns.to_json() for name, returns in methods.items()}
            for eval_set, methods in eval_sets.items()
        }
        for label, eval_sets in stored.items()
    }
    return (json.dumps({"format": FORMAT, "version": VERSION, **meta, "distributions": data}) + "\n").encode()


def load(path: Path) -> References:
    """Read a references file; {} where there is none, MetarlError where it cannot be read."""
    if not path.exists():
        return {}
    try:
        data = json.loads(path.read_text())
        if data["format"] != FORMAT or data["version"] != VERSION:
            raise ValueError(f"its format is {data['format']!r}, version {data['version']!r}")
        return {
            label: {
                eval_set: {name: AnchorReturns.from_json(returns) for name, returns in methods.items()}
                for eval_set, methods in eval_sets.items()
            }
            for label, eval_sets in data["distributions"].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MetarlError(f"{path} holds no references ({error}): make a new one with `metarl references`") from error
