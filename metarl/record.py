"""`eval.npz`: what agents lived through on panels of frozen tasks, and how that came to be.

PANEL/AGENT/reward   float32 [K, H, N, E], raw; 0 at rest
PANEL/AGENT/steps    int32 [K, N, E], of experience in each episode: those at rest do not count
PANEL/hash           of the tasks
PANEL/task/NAME      [N, ...], their parameters
meta                 JSON: format, version, and what the writer says of itself

K episodes of at most H steps, N tasks, E replicates. `metarl evaluate` calls panels by their split.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from metarl.errors import MetarlError
from metarl.run import NEW

if TYPE_CHECKING:
    from metarl.evaluation import Lifetimes

FORMAT, VERSION = "metarl lives", 1


@dataclass(frozen=True)
class Lived:
    """One agent on one panel."""

    reward: np.ndarray  # [K, H, N, E]
    steps: np.ndarray  # [K, N, E]
    hash: str  # of the tasks

    @property
    def returns(self) -> np.ndarray:
        """float64 [K, N, E], undiscounted."""
        return self.reward.sum(1, dtype=np.float64)


@dataclass(frozen=True)
class Record:
    """One file."""

    panels: Mapping[str, Mapping[str, Lived]]  # panel -> agent
    meta: Mapping[str, Any]


def write(path: Path, panels: Mapping[str, Mapping[str, Lifetimes]], meta: Mapping[str, Any]) -> None:
    """The whole file or nothing."""
    arrays: dict[str, np.ndarray] = {"meta": np.array(json.dumps({"format": FORMAT, "version": VERSION, **meta}))}
    for panel, agents in panels.items():
        for agent, lives in agents.items():
            arrays[f"{panel}/{agent}/reward"] = lives.reward
            arrays[f"{panel}/{agent}/steps"] = lives.lived.sum(1, dtype=np.int32)
            arrays[f"{panel}/hash"] = np.array(lives.tasks.hash)
            arrays |= {f"{panel}/task/{name}": values for name, values in lives.tasks.params.items()}
    temporary = path.with_name(path.name + NEW)
    with temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    temporary.replace(path)


def read(path: Path, cure: str = "evaluate anew") -> Record:
    """What `write` wrote; MetarlError, which ends with the cure, for a damaged or a foreign file."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if "meta" not in arrays:
                raise MetarlError(f"{path} is of another program or of an older metarl: {cure}")
            meta = json.loads(str(arrays["meta"]))
            if meta.get("format") != FORMAT or meta.get("version") != VERSION:
                found = f"{meta.get('format')!r}, version {meta.get('version')!r}"
                raise MetarlError(f"{path} is {found}; this metarl reads {FORMAT!r}, version {VERSION}: {cure}")
            panels: dict[str, dict[str, Lived]] = {}
            for name in arrays.files:
                if name.endswith("/reward"):
                    panel, _, agent = name.removesuffix("/reward").partition("/")
                    panels.setdefault(panel, {})[agent] = _lived(arrays, panel, agent)
    except (EOFError, KeyError, OSError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, MetarlError):
            raise
        raise MetarlError(f"{path} is damaged ({type(error).__name__}: {error}): {cure}") from error
    return Record(panels, meta)


def _lived(arrays: Any, panel: str, agent: str) -> Lived:
    reward, steps = arrays[f"{panel}/{agent}/reward"], arrays[f"{panel}/{agent}/steps"]
    k, _, n, e = reward.shape
    if steps.shape != (k, n, e) or not np.isfinite(reward).all():
        raise ValueError(f"{agent} on {panel} has rewards {reward.shape} and steps {steps.shape}")
    return Lived(reward, steps, str(arrays[f"{panel}/hash"]))
