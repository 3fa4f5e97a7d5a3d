"""Eval files, `eval.npz`: the results of agents on eval sets, which are sets of frozen tasks.

EVAL_SET/AGENT/reward   float32 [K, H, N, E], raw; 0 at rest
EVAL_SET/AGENT/steps    int32 [K, N, E], steps taken in each episode, without steps at rest
EVAL_SET/hash           hash of the tasks
EVAL_SET/task/NAME      [N, ...], parameters of the tasks
meta                    JSON: format, version, and the entries that the caller of `write` adds

K episodes of at most H steps, N tasks, E replicates. `metarl evaluate` names eval sets by their split.
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
from metarl.training.run_dir import NEW

if TYPE_CHECKING:
    from metarl.training.evaluate import EvalResult

FORMAT, VERSION = "metarl evaluation", 1


@dataclass(frozen=True)
class SavedEval:
    """The results of one agent on one eval set."""

    reward: np.ndarray  # [K, H, N, E]
    steps: np.ndarray  # [K, N, E]
    hash: str  # hash of the tasks

    @property
    def returns(self) -> np.ndarray:
        """float64 [K, N, E], undiscounted."""
        return self.reward.sum(1, dtype=np.float64)


@dataclass(frozen=True)
class EvalFile:
    """The contents of an eval file."""

    eval_sets: Mapping[str, Mapping[str, SavedEval]]  # eval set -> agent -> results
    meta: Mapping[str, Any]


def write(path: Path, eval_sets: Mapping[str, Mapping[str, EvalResult]], meta: Mapping[str, Any]) -> None:
    """Write an eval file atomically."""
    arrays: dict[str, np.ndarray] = {"meta": np.array(json.dumps({"format": FORMAT, "version": VERSION, **meta}))}
    for eval_set, agents in eval_sets.items():
        for agent, result in agents.items():
            arrays[f"{eval_set}/{agent}/reward"] = result.reward
            arrays[f"{eval_set}/{agent}/steps"] = result.mask.sum(1, dtype=np.int32)
            arrays[f"{eval_set}/hash"] = np.array(result.tasks.hash)
            arrays |= {f"{eval_set}/task/{name}": values for name, values in result.tasks.params.items()}
    temporary = path.with_name(path.name + NEW)
    with temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    temporary.replace(path)


def read(path: Path, cure: str = "evaluate again") -> EvalFile:
    """Return the contents of an eval file. Raise MetarlError, ending with `cure`, for a damaged or another file."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if "meta" not in arrays:
                raise MetarlError(f"{path} is of another program or of an older metarl: {cure}")
            meta = json.loads(str(arrays["meta"]))
            if meta.get("format") != FORMAT or meta.get("version") != VERSION:
                actual = f"{meta.get('format')!r}, version {meta.get('version')!r}"
                raise MetarlError(f"{path} is {actual}; this metarl reads {FORMAT!r}, version {VERSION}: {cure}")
            eval_sets: dict[str, dict[str, SavedEval]] = {}
            for name in arrays.files:
                if name.endswith("/reward"):
                    eval_set, _, agent = name.removesuffix("/reward").partition("/")
                    eval_sets.setdefault(eval_set, {})[agent] = _saved(arrays, eval_set, agent)
    except (EOFError, KeyError, OSError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, MetarlError):
            raise
        raise MetarlError(f"{path} is damaged ({type(error).__name__}: {error}): {cure}") from error
    return EvalFile(eval_sets, meta)


def _saved(arrays: Any, eval_set: str, agent: str) -> SavedEval:
    reward, steps = arrays[f"{eval_set}/{agent}/reward"], arrays[f"{eval_set}/{agent}/steps"]
    k, _, n, e = reward.shape
    if steps.shape != (k, n, e) or not np.isfinite(reward).all():
        raise ValueError(f"{agent} on {eval_set} has rewards {reward.shape} and steps {steps.shape}")
    return SavedEval(reward, steps, str(arrays[f"{eval_set}/hash"]))
