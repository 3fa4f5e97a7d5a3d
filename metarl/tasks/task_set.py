"""Task sets: tasks as a struct of arrays, with names, bounds, units, a content hash, and exact JSON files."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from metarl.errors import MetarlError, unknown
from metarl.tasks.parameter import Parameter, as_numbers

FORMAT, FORMAT_VERSION = "metarl task set", 1


@dataclass(frozen=True, eq=False, init=False, repr=False)
class TaskSet:
    """M tasks of one distribution, one per row. Names are sorted and arrays are read-only.

    Two sets are equal if their hashes are: the same tasks in the same order, of the same distribution and version. The
    split is a label and is not compared. The constructor raises MetarlError for values that the parameters exclude.
    """

    params: Mapping[str, np.ndarray]
    """name -> values [M, *shape], float64 or int64, read-only, in order of name"""
    parameters: Mapping[str, Parameter]
    """name -> description of the values, for the same names; inferred, without bounds, if none are given"""
    distribution: str = ""
    version: int = 0
    split: str = ""

    def __init__(
        self,
        params: Mapping[str, ArrayLike],
        parameters: Mapping[str, Parameter] | Iterable[Parameter] = (),
        distribution: str = "",
        version: int = 0,
        split: str = "",
        copy: bool = True,
    ) -> None:
        """copy: False to hold the given arrays themselves. The caller must not change them."""
        if not params:
            raise MetarlError("a task set needs at least one parameter, e.g. TaskSet({'velocity': [1.0, 2.0]})")
        listed = parameters.values() if isinstance(parameters, Mapping) else parameters
        known = {p.name: p for p in listed} or {name: _infer(name, values) for name, values in params.items()}
        arrays = {}
        for name in sorted(params):
            if name not in known:
                raise unknown("parameter", name, known)
            arrays[name] = known[name].check(params[name], copy).view()  # a view: the caller's array stays writable
            arrays[name].flags.writeable = False
        lengths = {name: len(a) for name, a in arrays.items()}
        if len(set(lengths.values())) > 1:
            raise MetarlError(f"every parameter needs one row for each task; got different numbers of rows: {lengths}")
        specs = {name: known[name] for name in arrays}
        for field, value in (("params", MappingProxyType(arrays)), ("parameters", MappingProxyType(specs))):
            object.__setattr__(self, field, value)
        for field, value in (("distribution", str(distribution)), ("version", int(version)), ("split", str(split))):
            object.__setattr__(self, field, value)

    @staticmethod
    def single(
        values: Mapping[str, ArrayLike],
        parameters: Mapping[str, Parameter] | Iterable[Parameter] = (),
        distribution: str = "",
        version: int = 0,
        split: str = "",
    ) -> TaskSet:
        """Return a set of one task from a mapping name -> value [*shape]."""
        rows = {name: as_numbers(f"parameter {name!r}", value)[None] for name, value in values.items()}
        return TaskSet(rows, parameters, distribution, version, split)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, sorted."""
        return tuple(self.params)

    def __len__(self) -> int:
        return len(next(iter(self.params.values())))

    def __iter__(self) -> Iterator[TaskSet]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int | slice | Sequence[int] | np.ndarray) -> TaskSet:
        """Return some of the tasks as a set. `index`: an int (a set of one), a slice, a mask bool [M], or ints."""
        rows = _rows(index, len(self))
        return self._with({name: values[rows] for name, values in self.params.items()})

    def task(self, i: int) -> dict[str, Any]:
        """Return task i as plain Python values: floats, ints, and nested lists of them."""
        return {name: values[0].tolist() for name, values in self[i].params.items()}

    def repeat(self, k: int) -> TaskSet:
        """Return each task k times in a row: a, a, b, b, ..."""
        return self[np.repeat(np.arange(len(self)), k)]

    @staticmethod
    def concatenate(sets: Iterable[TaskSet]) -> TaskSet:
        """Return all tasks in order. The split is "" if the splits differ.

        Raises MetarlError if the distributions, versions, names or descriptions of the parameters differ.
        """
        sets = list(sets)
        if not sets:
            raise MetarlError("concatenate needs at least one task set")
        first = sets[0]
        for other in sets[1:]:
            for what in ("distribution", "version", "names"):
                a, b = getattr(first, what), getattr(other, what)
                if a != b:
                    raise MetarlError(f"cannot concatenate task sets of different {what}: {a!r} and {b!r}")
            for a, b in zip(first.parameters.values(), other.parameters.values(), strict=True):
                if a != b:
                    raise MetarlError(f"cannot concatenate task sets that describe {a.name!r} differently: {a} and {b}")
        split = first.split if len({s.split for s in sets}) == 1 else ""
        return first._with({n: np.concatenate([s.params[n] for s in sets]) for n in first.names}, split)

    def __add__(self, other: TaskSet) -> TaskSet:
        return TaskSet.concatenate([self, other]) if isinstance(other, TaskSet) else NotImplemented

    def _with(self, params: Mapping[str, np.ndarray], split: str | None = None) -> TaskSet:
        split = self.split if split is None else split
        return TaskSet(params, self.parameters, self.distribution, self.version, split)

    @cached_property
    def hash(self) -> str:
        """Hexadecimal SHA-256 of the distribution's name and version and of every name, dtype, shape and number.

        It is equal on every machine and distinguishes -0.0 from 0.0. Bounds, units and the split are not hashed.
        """
        digest = hashlib.sha256(json.dumps([FORMAT, FORMAT_VERSION, self.distribution, self.version]).encode())
        for name, values in self.params.items():
            digest.update(("\n" + json.dumps([name, values.dtype.name, values.shape]) + "\n").encode())
            write = float.hex if values.dtype.kind == "f" else str
            digest.update(" ".join(map(write, values.ravel().tolist())).encode())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return self.hash == other.hash if isinstance(other, TaskSet) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.hash)

    def __reduce__(self) -> tuple[Any, ...]:  # mapping proxies do not pickle
        return TaskSet, (dict(self.params), dict(self.parameters), self.distribution, self.version, self.split)

    def __repr__(self) -> str:
        of = f" of {self.distribution}" if self.distribution else ""
        return f"<TaskSet: {len(self)} tasks{of}, {', '.join(self.names)}, {self.hash[:8]}>"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write JSON, one task per line, atomically: a reader sees the old file or the new. Makes missing folders."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            with open(part, "x", encoding="utf-8") as file:
                file.write(self._json())
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)

    def _json(self) -> str:
        # json writes a float as repr does: the shortest digits that parse to the same bits
        head = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "distribution": self.distribution,
            "version": self.version,
            "split": self.split,
            "hash": self.hash,
            "names": self.names,
        }
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
        specs = ",\n  ".join(json.dumps(p.to_json(), allow_nan=False) for p in self.parameters.values())
        rows = zip(*(values.tolist() for values in self.params.values()), strict=True)
        tasks = ",\n  ".join(json.dumps(row, allow_nan=False) for row in rows)
        lines += [f'"parameters": [\n  {specs}\n ]', f'"tasks": [\n  {tasks}\n ]']
        return "{\n " + ",\n ".join(lines) + "\n}\n"

    @staticmethod
    def load(path: str | os.PathLike[str]) -> TaskSet:
        """Return the set that `save` wrote, with its hash verified.

        Raises MetarlError for a file that is missing, damaged, edited or not a task set.
        """
        data = _read(Path(path))
        try:
            parameters = [Parameter.from_json(p) for p in data["parameters"]]
            names, tasks = data["names"], data["tasks"]
            if any(len(row) != len(names) for row in tasks):
                raise MetarlError("a task lacks a value")
            columns = [[row[i] for row in tasks] for i in range(len(names))]
            empty = {p.name: np.empty((0, *p.shape)) for p in parameters}
            params = dict(zip(names, columns, strict=True)) if tasks else {name: empty[name] for name in names}
            loaded = TaskSet(params, parameters, data["distribution"], data["version"], data["split"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise MetarlError(f"{path}: a damaged task set ({error!r}); make it again") from None
        if loaded.hash != data.get("hash"):
            raise MetarlError(
                f"{path}: the tasks do not match the hash in the file, so it was damaged or edited; make it again, and "
                "write task sets with metarl.TaskSet(...).save(path)"
            )
        return loaded


def _infer(name: str, values: ArrayLike) -> Parameter:
    array = as_numbers(f"parameter {name!r}", values)
    return Parameter(name, shape=array.shape[1:], integer=array.dtype.kind in "biu")


def _rows(index: Any, length: int) -> slice | np.ndarray:
    """Return `index` as numpy takes it along the first axis. Raise IndexError or MetarlError if it does not fit."""
    if isinstance(index, slice):
        return index
    rows = np.asarray(index)
    if rows.size == 0 and rows.ndim == 1 and rows.dtype.kind == "f":  # np.asarray([])
        rows = rows.astype(np.int64)
    if rows.dtype.kind == "b" and rows.shape != (length,):
        raise MetarlError(f"a mask over {length} tasks has shape [{length}]; got {list(rows.shape)}")
    if rows.dtype.kind not in "biu" or rows.ndim > 1:
        raise MetarlError(f"tasks are chosen by an int, a slice, a mask or an array of ints; got {index!r}")
    if rows.dtype.kind != "b" and ((rows < -length) | (rows >= length)).any():
        raise IndexError(f"there are {length} tasks; no task {index}")
    return rows.reshape(-1)


def _read(path: Path) -> dict[str, Any]:
    """Return the JSON object of a task set file. Raise MetarlError for another format or version."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MetarlError(f"cannot read the task set {path}: {error.strerror}; check the path") from None
    except (ValueError, RecursionError) as error:
        raise MetarlError(f"{path} is not JSON: not a task set, or cut short ({error}); make it again") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise MetarlError(f"{path} is not a task set; give a file that TaskSet.save wrote")
    if data.get("format_version") != FORMAT_VERSION:
        version = data.get("format_version")
        raise MetarlError(f"{path} has format version {version!r}, this metarl reads {FORMAT_VERSION}; upgrade metarl")
    return data
