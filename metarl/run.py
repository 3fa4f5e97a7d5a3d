"""A run is a directory: config, metrics, checkpoint (contract 9). Whatever it holds survives a kill at any moment."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from metarl.errors import MetarlError

CONFIG, METRICS, TIMES, CHECKPOINT = "config.json", "metrics.csv", "times.csv", "checkpoint.pt"


class Run:
    """One run directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def create(path: str | os.PathLike[str], config: Mapping[str, Any]) -> Run:
        """Make a new run directory; refuses one that holds anything."""
        run = Run(Path(path))
        try:
            if run.path.exists() and (not run.path.is_dir() or any(run.path.iterdir())):
                cure = "continue it with --resume, or" if (run.path / CONFIG).exists() else "it is no run:"
                raise MetarlError(f"{run.path} exists already: {cure} give another --run-dir")
            run.path.mkdir(parents=True, exist_ok=True)
            write_atomically(run.path / CONFIG, (json.dumps(config, indent=2) + "\n").encode())
        except OSError as error:
            raise MetarlError(f"cannot write to {run.path}: {error.strerror}; give another --run-dir") from error
        return run

    @staticmethod
    def open(path: str | os.PathLike[str]) -> Run:
        """An existing run directory."""
        run = Run(Path(path))
        if not (run.path / CONFIG).is_file():
            raise MetarlError(f"{run.path} is no run directory (it has no {CONFIG}): `metarl train` makes one")
        return run

    @property
    def config(self) -> dict[str, Any]:
        """What the run was started with."""
        path = self.path / CONFIG
        try:
            config = json.loads(path.read_text())
            return dict(config)
        except (OSError, ValueError) as error:
            raise MetarlError(f"{path} is damaged: {error}") from error

    @property
    def has_checkpoint(self) -> bool:
        return (self.path / CHECKPOINT).exists()

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        """Replace the checkpoint; the old one stands until the new one is whole on disk."""
        temporary = self.path / (CHECKPOINT + ".new")
        with temporary.open("wb") as file:
            torch.save(dict(state), file)
            _sync(file)
        temporary.replace(self.path / CHECKPOINT)

    def load_checkpoint(self, device: str = "cpu") -> dict[str, Any]:
        """The last checkpoint, read as data only (`weights_only=True`)."""
        path = self.path / CHECKPOINT
        if not path.exists():
            raise MetarlError(f"{self.path} has no {CHECKPOINT} yet: train on with --resume")
        try:
            state = torch.load(path, map_location=device, weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile, KeyError, ValueError) as error:
            raise MetarlError(
                f"{path} is damaged and cannot be read ({type(error).__name__}): restore it from a copy, or delete it "
                "and --resume to train again from the start with the same config"
            ) from error
        if not isinstance(state, dict) or "learner" not in state:
            raise MetarlError(f"{path} is not a checkpoint of metarl")
        return state


class Table:
    """A CSV file that grows by rows and can be cut back to an earlier length."""

    def __init__(self, path: Path, keep_bytes: int = 0) -> None:
        """Open for appending after the first `keep_bytes` bytes; what follows them is dropped."""
        self.path = path
        self._columns: list[str] | None = None
        if path.exists():
            with path.open("r+b") as file:
                if path.stat().st_size < keep_bytes:
                    raise MetarlError(f"{path} is shorter than its checkpoint says: it was damaged; restore it from a copy")
                file.truncate(keep_bytes)
        elif keep_bytes:
            raise MetarlError(f"{path} is missing: restore it from a copy")
        self._file = path.open("ab")
        if keep_bytes:
            self._columns = path.read_text().split("\n", 1)[0].split(",")

    def append(self, row: Mapping[str, float | int | None]) -> None:
        """Add a row; the first row names the columns. Floats are written so that they read back exactly."""
        if self._columns is None:
            self._columns = list(row)
            self._file.write((",".join(self._columns) + "\n").encode())
        cells = ["" if row.get(name) is None else repr(row[name]) for name in self._columns]
        self._file.write((",".join(cells) + "\n").encode())
        self._file.flush()

    def sync(self) -> int:
        """Force the rows to disk; the file's length in bytes."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


def read_table(path: Path) -> dict[str, list[float]]:
    """Columns of a metrics file; empty cells are NaN."""
    lines = path.read_text().splitlines()
    columns = lines[0].split(",") if lines else []
    cells = [line.split(",") for line in lines[1:]]
    return {name: [float(row[i]) if row[i] else float("nan") for row in cells] for i, name in enumerate(columns)}


def write_atomically(path: Path, content: bytes) -> None:
    """Write a whole file or nothing."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as file:
        file.write(content)
        _sync(file)
    temporary.replace(path)


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
