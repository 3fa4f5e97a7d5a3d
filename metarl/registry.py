"""Names of worlds, goals, perturbations, distributions and agents: registered, installed, or in a user's file.

Built-ins are found as a user's installed package is: through entry points of the groups `metarl.worlds`,
`metarl.goals`, `metarl.perturbations`, `metarl.distributions` and `metarl.agents`, loaded when first asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from metarl.errors import MetarlError, unknown

KINDS = ("world", "goal", "perturbation", "distribution", "agent")

_registered: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
_installed: dict[str, dict[str, EntryPoint]] = {}


def add(thing: Any) -> None:
    """File `thing` (a class is instantiated) under its `kind` and `name`; refuses a name that something else has."""
    thing = _instance(thing)
    kind, name = getattr(thing, "kind", None), getattr(thing, "name", None)
    if kind not in KINDS or not isinstance(name, str) or not name:
        raise MetarlError(
            f"cannot register {thing!r}: it needs a `name` and a `kind`, one of {', '.join(KINDS)}; "
            "make it a TaskDistribution, or an instance of World, Goal, Perturbation or AgentType"
        )
    known = _registered[kind].get(name)
    if known is not None and known is not thing and type(known) is not type(thing):
        raise MetarlError(f"a {kind} named {name!r} is registered already: choose another name")
    if known is None and name in _entry_points(kind):
        raise MetarlError(f"a {kind} named {name!r} is built in or installed: choose another name")
    _registered[kind][name] = thing


def find(kind: str, name: str) -> Any:
    """The thing of this kind: by registered or installed name, `file.py:Name`, or `package.module:Name`."""
    if not isinstance(name, str):
        raise MetarlError(f"a {kind} is named by a string, got {name!r}")
    if ":" in name:
        return _from_module(kind, name)
    if name not in _registered[kind]:
        if kind == "distribution":
            load_distributions()
        elif name in _entry_points(kind):
            _adopt(kind, _load(_entry_points(kind)[name]))
    if name not in _registered[kind]:
        raise unknown(kind, name, names(kind))
    return _registered[kind][name]


def find_any(reference: str) -> Any:
    """What `file.py:Name` or `package.module:Name` names, of whatever kind; None if nothing."""
    location, _, attribute = reference.rpartition(":")
    module = _file_module(Path(location)) if location.endswith(".py") else _import(location)
    thing = getattr(module, attribute, None)
    return _instance(thing) if thing is not None else None


def names(kind: str) -> list[str]:
    """All names of a kind, sorted."""
    if kind == "distribution":
        load_distributions()
        return sorted(_registered[kind])
    return sorted({*_registered[kind], *_entry_points(kind)})


def load_distributions() -> None:
    """Adopt every installed distribution; an entry point names one distribution or a sequence of them."""
    points = _entry_points("distribution")
    for key in list(points):
        loaded = _load(points.pop(key))
        for distribution in [loaded] if hasattr(loaded, "kind") else loaded:
            _adopt("distribution", distribution)


def _instance(thing: Any) -> Any:
    return thing() if isinstance(thing, type) else thing


def _adopt(kind: str, thing: Any) -> None:
    _registered[kind].setdefault(thing.name, thing)


def _entry_points(kind: str) -> dict[str, EntryPoint]:
    if kind not in _installed:
        _installed[kind] = {point.name: point for point in entry_points(group=f"metarl.{kind}s")}
    return _installed[kind]


def _load(point: EntryPoint) -> Any:
    try:
        return _instance(point.load())
    except (ImportError, AttributeError) as error:
        raise MetarlError(f"the entry point {point.name} = {point.value} cannot be loaded: {error}") from error


def _from_module(kind: str, reference: str) -> Any:
    location, _, attribute = reference.rpartition(":")
    module = _file_module(Path(location)) if location.endswith(".py") else _import(location)
    thing = getattr(module, attribute, None)
    if thing is None:  # what was registered under this name when the file ran
        thing = _registered[kind].get(attribute)
    if thing is None:
        have = [item.name for item in _things(kind, module)] + sorted(_registered[kind].keys() & set(dir(module)))
        raise MetarlError(
            f"{location} defines no {kind} named {attribute!r}"
            + (f"; it defines {', '.join(sorted(set(have)))}" if have else f"; it defines no {kind} at all")
        )
    thing = _instance(thing)
    if getattr(thing, "kind", None) != kind:
        raise MetarlError(f"{reference} is a {type(thing).__name__}, not a {kind}")
    return thing


def _things(kind: str, module: ModuleType) -> Iterable[Any]:
    return [value for value in vars(module).values() if getattr(value, "kind", None) == kind and hasattr(value, "name")]


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MetarlError(f"no module named {error.name!r}: install it, or give a file as path/to/file.py:Name") from error


def _file_module(path: Path) -> ModuleType:
    """Run a user's file once a process; its registrations happen as it runs."""
    path = path.resolve()
    key = f"metarl_user_{path.stem}_{abs(hash(str(path))):x}"
    if key in sys.modules:
        return sys.modules[key]
    if not path.is_file():
        raise MetarlError(f"no file {path}")
    spec = importlib.util.spec_from_file_location(key, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[key] = module
    try:
        spec.loader.exec_module(module)
    except MetarlError:
        del sys.modules[key]
        raise
    except Exception as error:
        del sys.modules[key]
        raise MetarlError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    return module
