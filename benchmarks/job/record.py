"""`eval.npz` of one cell: what an entrant lived through on each panel of frozen tasks, and how it came to be."""

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

FORMAT, VERSION = "metarl benchmark cell", 1


@dataclass(frozen=True)
class Lived:
    """One panel of one cell. N tasks, E replicates, K episodes of at most H steps."""

    reward: np.ndarray  # float32 [K, H, N, E], raw
    steps: np.ndarray  # int32 [K, N, E], of experience in each episode: those at rest do not count
    hash: str  # of the tasks

    @property
    def returns(self) -> np.ndarray:
        """float64 [K, N, E], undiscounted."""
        return self.reward.sum(1, dtype=np.float64)


@dataclass(frozen=True)
class Record:
    """One cell."""

    panels: Mapping[str, Lived]
    meta: Mapping[str, Any]  # who, where, with which training, versions and machine


def write(path: Path, panels: Mapping[str, Lifetimes], meta: Mapping[str, Any]) -> None:
    """The whole file or nothing."""
    arrays: dict[str, np.ndarray] = {}
    for panel, lives in panels.items():
        arrays[f"{panel}/reward"] = lives.reward
        arrays[f"{panel}/steps"] = lives.lived.sum(1, dtype=np.int32)
        arrays[f"{panel}/hash"] = np.array(lives.tasks.hash)
    arrays["meta"] = np.array(json.dumps({"format": FORMAT, "version": VERSION, **meta}))
    temporary = path.with_name(path.name + NEW)
    with temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    temporary.replace(path)


def read(path: Path, only: tuple[str, ...] | None = None) -> Record:
    """What `write` wrote (only some panels, where given); MetarlError for a damaged or a foreign file."""
    cure = "delete it and give the same command again: this cell alone is lived through anew"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if "meta" not in arrays:
                raise MetarlError(f"{path} is of another program or of `metarl evaluate`, not of a benchmark: {cure}")
            meta = json.loads(str(arrays["meta"]))
            if meta.get("format") != FORMAT or meta.get("version") != VERSION:
                found = f"{meta.get('format')!r}, version {meta.get('version')!r}"
                raise MetarlError(f"{path} is {found}; this metarl reads {FORMAT!r}, version {VERSION}: {cure}")
            names = [name.partition("/")[0] for name in arrays.files if name.endswith("/hash")]
            panels = {name: _panel(arrays, name) for name in names if only is None or name in only}
    except (EOFError, KeyError, OSError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, MetarlError):
            raise
        raise MetarlError(f"{path} is damaged ({type(error).__name__}: {error}): {cure}") from error
    return Record(panels, meta)


def _panel(arrays: Any, name: str) -> Lived:
    lived = Lived(arrays[f"{name}/reward"], arrays[f"{name}/steps"], str(arrays[f"{name}/hash"]))
    k, _, n, e = lived.reward.shape
    if lived.steps.shape != (k, n, e) or not np.isfinite(lived.reward).all():
        raise ValueError(f"the panel {name} holds rewards {lived.reward.shape} and steps {lived.steps.shape}")
    return lived
