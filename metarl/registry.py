"""The registry: names of worlds, goals, perturbations, distributions and agents.

A name is registered by a call, installed by a package, or defined in a user's file. Built-ins are installed like those
of third-party packages: through entry points of the groups `metarl.worlds`, `metarl.goals`, `metarl.perturbations`,
`metarl.distributions` and `metarl.agents`. Distributions are data. They are loaded by `import metarl`, so that their
Gymnasium ids work. All others are loaded when they are first used.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from metarl.errors import MetarlError, unknown

KINDS = ("world", "goal", "perturbation", "distribution", "agent")

_listeners: list[Callable[[Any], object]] = []  # called with each distribution that is added

Names = dict[tuple[str, str], Any]  # (kind, name) -> thing

_registered: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
_installed: dict[str, dict[str, EntryPoint]] = {}
_shipped: set[tuple[str, str]] = set()  # (kind, name) of registered things that entry points loaded
_defined: dict[str, Names] = {}  # module -> the things registered while it ran
_running: list[Names] = []  # entries of _defined for the modules that run now


def add(thing: Any) -> None:
    """Register `thing` (a class is instantiated) under its `kind` and `name`.

    The same definition run again, such as a notebook's cell, replaces the first one. So does another version of a
    distribution. Raises MetarlError if the name belongs to anything else.
    """
    is_class, thing = isinstance(thing, type), _instance(thing)
    kind, name = getattr(thing, "kind", None), getattr(thing, "name", None)
    if kind not in KINDS or not isinstance(name, str) or not name:
        raise MetarlError(
            f"cannot register {thing!r}: it needs a `name` and a `kind`, one of {', '.join(KINDS)}; "
            "make it a TaskDistribution, or an instance of World, Goal, Perturbation or AgentType"
        )
    if kind == "distribution":
        load_distributions()
    known = _registered[kind].get(name)
    if known is not thing:
        if (kind, name) in _shipped or (kind != "distribution" and name in _entry_points(kind)):
            raise MetarlError(f"a {kind} named {name!r} is built in or installed: choose another name")
        if known is not None and not _is_same_definition(known, thing, is_class):
            cure = "choose another name" + (", or raise its version" if kind == "distribution" else "")
            raise MetarlError(f"another {kind} named {name!r} is registered already: {cure}")
    _registered[kind][name] = thing
    for module in _running:
        module[kind, name] = thing
    if kind == "distribution":
        _call_listeners(thing)


def find(kind: str, name: str) -> Any:
    """Return the thing of this kind with a registered or installed name, `file.py:Name` or `package.module:Name`."""
    if not isinstance(name, str):
        raise MetarlError(f"a {kind} is named by a string, got {name!r}")
    if ":" in name:
        return _from_module(kind, name)
    if name not in _registered[kind]:
        if kind == "distribution":
            load_distributions()
        elif name in _entry_points(kind):
            _register_installed(kind, _load(_entry_points(kind)[name]), name)
    if name not in _registered[kind]:
        raise unknown(kind, name, names(kind))
    return _registered[kind][name]


def find_any(reference: str) -> Any:
    """Return the thing of any kind that `file.py:Name` or `package.module:Name` names; None if there is none."""
    location, _, attribute = reference.rpartition(":")
    module = _module(location)
    for thing in (getattr(module, attribute, None), *(_registered_in(module, kind, attribute) for kind in KINDS)):
        if thing is not None:
            return _instance(thing)
    return None


def names(kind: str) -> list[str]:
    """Return all names of a kind, sorted."""
    if kind == "distribution":
        load_distributions()
        return sorted(_registered[kind])
    return sorted({*_registered[kind], *_entry_points(kind)})


def source(reference: Any) -> str | None:
    """Return `reference` with an absolute path if it is file.py:Name or module:Name; None for a plain name."""
    if not isinstance(reference, str) or ":" not in reference:
        return None
    location, _, name = reference.rpartition(":")
    return f"{Path(location).resolve()}:{name}" if location.endswith(".py") else reference


def on_distribution(listener: Callable[[Any], object]) -> None:
    """Call `listener` with every distribution that is registered or loaded after this call."""
    _listeners.append(listener)


def _call_listeners(distribution: Any) -> None:
    for listener in _listeners:
        listener(distribution)


def load_distributions() -> None:
    """Load every installed distribution. An entry point names one distribution or a sequence of them.

    A package that fails is skipped with a warning, so that it does not break the others. A package that is still being
    imported, because it imports metarl, is loaded by the next call.
    """
    points = _entry_points("distribution")
    for key, point in list(points.items()):
        if _is_being_imported(point.module) or points.pop(key, None) is None:
            continue
        try:
            loaded = _load(point)
            for distribution in [loaded] if hasattr(loaded, "kind") else loaded:
                if _register_installed("distribution", distribution):
                    _call_listeners(distribution)
        except (MetarlError, TypeError) as error:
            warnings.warn(f"left out the distributions of {key}: {error}", stacklevel=2)


def _instance(thing: Any) -> Any:
    try:
        return thing() if isinstance(thing, type) else thing
    except TypeError as error:
        raise MetarlError(
            f"{thing.__qualname__} cannot be made without arguments: give an instance ({error})"
        ) from error


def _is_same_definition(known: Any, thing: Any, is_class: bool) -> bool:
    """Return whether `thing` is the same definition as `known`, or another version of that distribution."""
    if is_class:
        return _class_origin(type(known)) == _class_origin(type(thing))
    if thing.kind == "distribution" and known.version == thing.version:
        try:
            return known.to_json() == thing.to_json()
        except MetarlError:  # a sampler that is a function cannot be compared
            return False
    return thing.kind == "distribution" or known == thing


def _class_origin(cls: type) -> tuple[str, str]:
    """Return a class's file and name; its module and name without a file. A file may run as a module and by path."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return str(Path(file).resolve()) if file else cls.__module__, cls.__qualname__


def _register_installed(kind: str, thing: Any, name: str | None = None) -> bool:
    """Register the thing that an entry point names. Of two with one name the first stays; metarl's own come first."""
    thing_kind, thing_name = getattr(thing, "kind", None), getattr(thing, "name", None)
    if thing_kind != kind or not isinstance(thing_name, str) or name not in (None, thing_name):
        raise MetarlError(f"an entry point of metarl.{kind}s, {name or ''}, holds {thing!r}: not a {kind} of that name")
    if _registered[kind].setdefault(thing_name, thing) is not thing:
        warnings.warn(f"left out an installed {kind}: another named {thing_name!r} is there already", stacklevel=4)
        return False
    _shipped.add((kind, thing_name))
    return True


def _entry_points(kind: str) -> dict[str, EntryPoint]:
    """Return entry points by name; those of distributions, whose names have no meaning, by package and name."""
    if kind not in _installed:
        points: dict[str, EntryPoint] = {}
        for point in sorted(entry_points(group=f"metarl.{kind}s"), key=lambda point: _package(point) != "metarl-suite"):
            key = f"{_package(point)}: {point.name}" if kind == "distribution" else point.name
            if points.setdefault(key, point).value != point.value:
                warnings.warn(f"two packages install a {kind} named {key!r}: using {points[key].value}", stacklevel=3)
        _installed[kind] = points
    return _installed[kind]


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else ""


def _is_being_imported(name: str) -> bool:
    return getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False)


def _load(point: EntryPoint) -> Any:
    try:
        return _instance(point.load())
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise MetarlError(f"the entry point {point.name} = {point.value} cannot be loaded: {what}") from error


def _from_module(kind: str, reference: str) -> Any:
    location, _, attribute = reference.rpartition(":")
    module = _module(location)
    thing = getattr(module, attribute, None)
    if thing is None:
        thing = _registered_in(module, kind, attribute)
    if thing is None:
        defined = {item.name for item in _things(kind, module)} | {n for k, n in _in(module) if k == kind}
        raise MetarlError(
            f"{location} defines no {kind} named {attribute!r}"
            + (f"; it defines {', '.join(sorted(defined))}" if defined else f"; it defines no {kind} at all")
        )
    thing = _instance(thing)
    if getattr(thing, "kind", None) != kind:
        raise MetarlError(f"{reference} is a {type(thing).__name__}, not a {kind}")
    return thing


def _things(kind: str, module: ModuleType) -> Iterable[Any]:
    return [value for value in vars(module).values() if getattr(value, "kind", None) == kind and hasattr(value, "name")]


def _registered_in(module: ModuleType, kind: str, name: str) -> Any:
    """Return the thing registered under this name while the module ran; None if there is none."""
    return _in(module).get((kind, name))


def _in(module: ModuleType) -> Mapping[tuple[str, str], Any]:
    return _defined.get(module.__name__, {})


def _module(location: str) -> ModuleType:
    if not location:
        raise MetarlError("give path/to/file.py:Name or package.module:Name")
    return _file_module(Path(location)) if location.endswith(".py") else _import(location)


def _import(name: str) -> ModuleType:
    try:
        return sys.modules.get(name) or _run(name, lambda: importlib.import_module(name))
    except ModuleNotFoundError as error:
        raise MetarlError(
            f"no module named {error.name!r}: install it, or give a file as path/to/file.py:Name"
        ) from error


def _file_module(path: Path) -> ModuleType:
    """Run a user's file once per process. Its registrations happen while it runs."""
    path = path.resolve()
    key = f"metarl_user_{path.stem}_{abs(hash(str(path))):x}"
    if key in sys.modules:
        return sys.modules[key]
    if not path.is_file():
        raise MetarlError(f"no file {path}")
    spec = importlib.util.spec_from_file_location(key, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[key] = module
    try:
        _run(key, lambda: spec.loader.exec_module(module), str(path))  # pyright: ignore[reportOptionalMemberAccess]
    except BaseException:
        del sys.modules[key]
        raise
    return module


def _run(name: str, run: Callable[[], Any], place: str = "") -> Any:
    """Run a module and note the things that it registers. Raise MetarlError if it fails."""
    _running.append(_defined.setdefault(name, {}))
    try:
        return run()
    except (MetarlError, ModuleNotFoundError) as error:
        if place and isinstance(error, ModuleNotFoundError):
            raise MetarlError(f"{place} cannot be run: {error}") from error
        raise
    except Exception as error:
        raise MetarlError(f"{place or name} cannot be run: {type(error).__name__}: {error}") from error
    finally:
        _running.pop()
