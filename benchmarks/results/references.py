"""What the scale is made of: what acting at random, a task-informed optimum and a Bayes-optimal agent earn on a task.

Computed once by `metarl references SUITE`, stored beside the suite with its uncertainty, and bound to the frozen tasks
by hash. What is not stored is taken from those who take part.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metarl.errors import MetarlError

FLOOR = "random"  # the method at 0
FORMAT, VERSION = "metarl references", 2

Stored = dict[str, dict[str, dict[str, "Earned"]]]  # distribution -> eval set -> method


@dataclass(frozen=True)
class Earned:
    """What one method earns in an episode on each of N tasks."""

    mean: np.ndarray  # [N]
    error: np.ndarray  # [N], standard error over replicates (and seeds); NaN of a single life
    hash: str  # of the tasks
    by: str  # whose returns these are
    world: Mapping[str, str]  # its fingerprint

    @staticmethod
    def of(returns: np.ndarray, tasks: str, by: str, world: Mapping[str, str]) -> Earned:
        """returns [S, K, N, E]. Lives are what is independent: (seed, replicate); episodes of one life are not."""
        lives = np.moveaxis(returns.mean(1), 1, 0).reshape(returns.shape[2], -1)
        spread = lives.std(1, ddof=1) if lives.shape[1] > 1 else np.full(len(lives), np.nan)
        return Earned(lives.mean(1), spread / np.sqrt(lives.shape[1]), tasks, by, world)

    @property
    def mean_error(self) -> float:
        """Standard error of the mean over these tasks."""
        return float(np.sqrt((self.error**2).sum()) / len(self.error))

    def to_json(self) -> dict[str, Any]:
        values = {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in asdict(self).items()}
        return values | {"error": [None if np.isnan(e) else e for e in self.error.tolist()]}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Earned:
        mean, error = (np.array(data[name], dtype=float) for name in ("mean", "error"))
        return Earned(mean, error, data["hash"], data["by"], data["world"])


@dataclass(frozen=True)
class ScoreAnchors:
    """Both ends of the scale on one eval set of N tasks, and how far exploring takes where that is known."""

    floor: Earned
    best: Earned
    ceiling: Earned | None = None

    @property
    def denominator(self) -> float:
        """The mean way from floor to best; MetarlError where there is none."""
        way = float((self.best.mean - self.floor.mean).mean())
        if not way > 0:
            fault = f"the reference ({self.best.by}) earns no more than random actions"
            raise MetarlError(f"{fault}: train it for longer")
        return way

    @property
    def denominator_error(self) -> float:
        """Standard error of the denominator."""
        return float(np.hypot(self.floor.mean_error, self.best.mean_error))


def to_file_content(stored: Stored, meta: Mapping[str, Any]) -> bytes:
    """As JSON."""
    data = {
        name: {eval_set: {who: earned.to_json() for who, earned in of.items()} for eval_set, of in eval_sets.items()}
        for name, eval_sets in stored.items()
    }
    return (json.dumps({"format": FORMAT, "version": VERSION, **meta, "distributions": data}) + "\n").encode()


def load(path: Path) -> Stored:
    """What `metarl references` wrote; {} where there is no file."""
    if not path.exists():
        return {}
    try:
        data = json.loads(path.read_text())
        if data["format"] != FORMAT or data["version"] != VERSION:
            raise ValueError(f"its format is {data['format']!r}, version {data['version']!r}")
        return {
            name: {eval_set: {who: Earned.from_json(e) for who, e in of.items()} for eval_set, of in eval_sets.items()}
            for name, eval_sets in data["distributions"].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MetarlError(f"{path} holds no references ({error}): make it anew with `metarl references`") from error
