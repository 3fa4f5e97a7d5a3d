"""Run directories: config, metrics and checkpoint of a run, written so that a kill at any time damages none of them."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from metarl.errors import MetarlError

CONFIG, METRICS, TIMES, CHECKPOINT = "config.json", "metrics.csv", "times.csv", "checkpoint.pt"
EVAL, PICTURE = "eval.npz", "adaptation.png"
NEW = ".new"  # suffix of a file while it is written; one that a kill leaves behind is overwritten


class Run:
    """A run directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def create(path: str | os.PathLike[str], config: Mapping[str, Any]) -> Run:
        """Make a new run directory. Raise MetarlError for a file and for a directory that is not empty."""
        run = Run(Path(path))
        Run.check_new(run.path)
        with writing(run.path, "give another --run-dir"):
            run.path.mkdir(parents=True, exist_ok=True)
            run.write_config(config)
        return run

    @staticmethod
    def check_new(path: Path) -> None:
        """Raise MetarlError for a file, a directory that is not empty, and a path that cannot be read."""
        with writing(path, "give another --run-dir"):
            if path.exists() and not path.is_dir():
                raise MetarlError(f"{path} is a file: give another --run-dir")
            if path.exists() and any(file.name != CONFIG + NEW for file in path.iterdir()):
                cure = "continue it with --resume, or" if (path / CONFIG).exists() else "it is not a run:"
                raise MetarlError(f"{path} exists already: {cure} give another --run-dir")

    @staticmethod
    def open(path: str | os.PathLike[str]) -> Run:
        """Return an existing run directory. Raise MetarlError if it is not one."""
        run = Run(Path(path))
        if not (run.path / CONFIG).is_file():
            raise MetarlError(f"{run.path} is no run directory (it has no {CONFIG}): `metarl train` makes one")
        return run

    @property
    def config(self) -> dict[str, Any]:
        """The agent, distribution, options and versions of the run."""
        path = self.path / CONFIG
        try:
            config = json.loads(path.read_text())
        except (OSError, ValueError, RecursionError) as error:
            raise MetarlError(f"{path} is damaged ({error}): restore it from a copy, or train again") from error
        if not isinstance(config, dict):
            raise MetarlError(f"{path} is damaged (no JSON object): restore it from a copy, or train again")
        return config

    def write_config(self, config: Mapping[str, Any]) -> None:
        try:
            text = json.dumps(config, indent=2)
        except (TypeError, ValueError) as error:
            raise MetarlError(f"settings and distributions are recorded as JSON: {error}") from error
        write_atomically(self.path / CONFIG, (text + "\n").encode())

    @property
    def identity(self) -> dict[str, Any]:
        """Agent, distribution and seed, which a checkpoint of this run has in common with the config."""
        config = self.config
        try:
            name = {part: config[part]["name"] for part in ("agent", "distribution")}
            return {**name, "seed": config["seed"]}
        except (KeyError, TypeError) as error:
            raise MetarlError(f"{self.path / CONFIG} is damaged or of another version of metarl: no {error}") from error

    @property
    def has_checkpoint(self) -> bool:
        return (self.path / CHECKPOINT).exists()

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        """Replace the checkpoint atomically: the old one stays until the new one is complete on disk."""
        import torch

        buffer = io.BytesIO()
        torch.save({"run": self.identity, **state}, buffer)
        write_atomically(self.path / CHECKPOINT, buffer.getvalue())

    def load_checkpoint(self, device: str = "cpu") -> dict[str, Any]:
        """Return the last checkpoint, read as data only (`weights_only=True`).

        Raises MetarlError for a checkpoint that is missing, damaged or of another run.
        """
        import torch

        path = self.path / CHECKPOINT
        if not path.exists():
            raise MetarlError(f"{self.path} has no {CHECKPOINT} yet: continue training with --resume")
        cure = "restore it from a copy, or delete it and --resume to train again from the start"
        try:
            damaged = zipfile.ZipFile(path).testzip()  # torch.load checks no checksums
            state = None if damaged else torch.load(path, map_location=device, weights_only=True)
        except Exception as error:  # damaged files raise errors of many types
            raise MetarlError(f"{path} is damaged and cannot be read ({type(error).__name__}): {cure}") from error
        if damaged:
            raise MetarlError(f"{path} is damaged (its part {damaged} fails its checksum): {cure}")
        if not isinstance(state, dict) or not {"run", "learner"} <= state.keys():
            raise MetarlError(f"{path} is not a checkpoint of metarl: {cure}")
        if state["run"] != self.identity:
            expected = ", ".join(f"{name} {value}" for name, value in self.identity.items())
            actual = ", ".join(f"{name} {value}" for name, value in dict(state["run"]).items())
            raise MetarlError(f"{path} is of another run ({actual}), its config is of {expected}: {cure}")
        return state


class Table:
    """A CSV file to which rows are appended and that can be truncated to an earlier length."""

    def __init__(self, path: Path, keep_bytes: int = 0) -> None:
        """Open the file for appending after its first `keep_bytes` bytes. All bytes after them are removed.

        Raises MetarlError if the file is shorter.
        """
        self.path = path
        self._columns: list[str] | None = None
        if path.exists():
            with path.open("r+b") as file:
                if path.stat().st_size < keep_bytes:
                    raise MetarlError(f"{path} is shorter than in its checkpoint, so it was damaged: {_RESTORE_CURE}")
                file.truncate(keep_bytes)
        elif keep_bytes:
            raise MetarlError(f"{path} is missing: {_RESTORE_CURE}")
        self._file = path.open("ab")
        if keep_bytes:
            self._columns = path.read_text().split("\n", 1)[0].split(",")

    def append(self, row: Mapping[str, float | int | None]) -> None:
        """Append a row. The first row defines the columns. Floats are written with all digits."""
        if self._columns is None:
            self._columns = list(row)
            self._file.write((",".join(self._columns) + "\n").encode())
        if new := [name for name in row if name not in self._columns]:
            raise MetarlError(f"{self.path.name} has no column {', '.join(new)}: name every metric in the first update")
        cells = ["" if row.get(name) is None else repr(row[name]) for name in self._columns]
        self._file.write((",".join(cells) + "\n").encode())
        self._file.flush()

    def sync(self) -> int:
        """Write the rows to disk and return the file's length in bytes."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


_RESTORE_CURE = f"restore it from a copy, or delete {CHECKPOINT} and --resume to train again from the start"


def read_table(path: Path) -> dict[str, list[float]]:
    """Return the columns of a metrics file. Empty cells are NaN."""
    lines = path.read_text().splitlines()
    columns = lines[0].split(",") if lines else []
    cells = [line.split(",") for line in lines[1:]]
    return {name: [float(row[i]) if row[i] else float("nan") for row in cells] for i, name in enumerate(columns)}


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file atomically: a reader sees the old file or the complete new one."""
    temporary = path.with_name(path.name + NEW)
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


@contextmanager
def writing(path: Path, cure: str) -> Iterator[None]:
    """Within, an OSError becomes a MetarlError that ends with `cure`."""
    try:
        yield
    except OSError as error:
        raise MetarlError(f"cannot write {error.filename or path}: {error.strerror or error}; {cure}") from error
