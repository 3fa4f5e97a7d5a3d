"""The two ends of the scale: what acting at random earns on each frozen task, and what a task-informed optimum earns.

Computed once by `metarl references SUITE`, stored beside the suite with their uncertainty, and bound to the frozen
tasks by hash. A suite without stored references is measured by the ones that take part in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metarl.errors import MetarlError

FLOOR = "random"  # the entrant at 0
FORMAT, VERSION = "metarl references", 1


@dataclass(frozen=True)
class Ends:
    """Both ends on one panel of N tasks."""

    floor: np.ndarray  # [N]
    floor_error: np.ndarray  # [N], standard error over replicates (and seeds)
    best: np.ndarray  # [N]
    best_error: np.ndarray  # [N]
    hash: str  # of the tasks
    by: str  # whose returns these are

    @property
    def denominator(self) -> float:
        """The mean way from floor to best; MetarlError where there is none."""
        way = float((self.best - self.floor).mean())
        if not way > 0:
            raise MetarlError(f"the reference ({self.by}) earns no more than random actions: train it for longer")
        return way

    @property
    def denominator_error(self) -> float:
        """Standard error of the denominator."""
        return float(np.sqrt((self.floor_error**2 + self.best_error**2).sum()) / len(self.floor))

    def to_json(self) -> dict[str, Any]:
        return {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in asdict(self).items()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Ends:
        values: dict[str, Any] = {name: np.array(v) if isinstance(v, list) else v for name, v in data.items()}
        return Ends(**values)


def measure(floor: np.ndarray, best: np.ndarray, tasks: str, by: str) -> Ends:
    """Ends from what both lived through, returns [S, K, N, E] each: neither learns, so that episodes are averaged."""
    return Ends(*_mean_and_error(floor), *_mean_and_error(best), tasks, by)


def _mean_and_error(returns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[N] each. Lives are what is independent: (seed, replicate); episodes of one life are not."""
    lives = np.moveaxis(returns.mean(1), 1, 0).reshape(returns.shape[2], -1)
    spread = lives.std(1, ddof=1) if lives.shape[1] > 1 else np.full(len(lives), np.nan)
    return lives.mean(1), spread / np.sqrt(lives.shape[1])


def to_file_content(ends: Mapping[str, Mapping[str, Ends]], meta: Mapping[str, Any]) -> bytes:
    """{distribution: {panel: ends}} as JSON."""
    panels = {name: {panel: end.to_json() for panel, end in of.items()} for name, of in ends.items()}
    return (json.dumps({"format": FORMAT, "version": VERSION, **meta, "distributions": panels}) + "\n").encode()


def load(path: Path) -> dict[str, dict[str, Ends]]:
    """What `metarl references` wrote; {} where there is no file."""
    if not path.exists():
        return {}
    try:
        data = json.loads(path.read_text())
        if data["format"] != FORMAT or data["version"] != VERSION:
            raise ValueError(f"its format is {data['format']!r}, version {data['version']!r}")
        return {
            name: {panel: Ends.from_json(end) for panel, end in panels.items()}
            for name, panels in data["distributions"].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MetarlError(f"{path} holds no references ({error}): make it anew with `metarl references`") from error
