"""Names of worlds, goals, perturbations, distributions and agents: registered, installed, or in a user's file.

Built-ins are found as a user's installed package is: through entry points of the groups `metarl.worlds`,
`metarl.goals`, `metarl.perturbations`, `metarl.distributions` and `metarl.agents`. Distributions are data, loaded by
`import metarl`, so that their Gymnasium ids work; the others when first asked for.
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
_shipped: set[tuple[str, str]] = set()  # those of _registered that came through entry points
_defined: dict[str, Names] = {}  # module -> what was registered while it ran
_running: list[Names] = []  # of the modules that run now


def add(thing: Any) -> None:
    """File `thing` (a class is instantiated) under its `kind` and `name`; refuses a name that something else has.

    The same definition run again, as a notebook's cell is, takes the place of the first; so does another version of a
    distribution.
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
        if known is not None and not _is_again(known, thing, is_class):
            cure = "choose another name" + (", or raise its version" if kind == "distribution" else "")
            raise MetarlError(f"another {kind} named {name!r} is registered already: {cure}")
    _registered[kind][name] = thing
    for module in _running:
        module[kind, name] = thing
    if kind == "distribution":
        _announce(thing)


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
            _adopt(kind, _load(_entry_points(kind)[name]), name)
    if name not in _registered[kind]:
        raise unknown(kind, name, names(kind))
    return _registered[kind][name]


def find_any(reference: str) -> Any:
    """What `file.py:Name` or `package.module:Name` names, of whatever kind; None if nothing."""
    location, _, attribute = reference.rpartition(":")
    module = _module(location)
    for thing in (getattr(module, attribute, None), *(_registered_in(module, kind, attribute) for kind in KINDS)):
        if thing is not None:
            return _instance(thing)
    return None


def names(kind: str) -> list[str]:
    """All names of a kind, sorted."""
    if kind == "distribution":
        load_distributions()
        return sorted(_registered[kind])
    return sorted({*_registered[kind], *_entry_points(kind)})


def source(reference: Any) -> str | None:
    """Return where code named as file.py:Name (the path made absolute) or module:Name is found again; None for a name."""
    if not isinstance(reference, str) or ":" not in reference:
        return None
    location, _, name = reference.rpartition(":")
    return f"{Path(location).resolve()}:{name}" if location.endswith(".py") else reference


def on_distribution(listener: Callable[[Any], object]) -> None:
    """Call `listener` with every distribution that is registered or loaded from now on."""
    _listeners.append(listener)


def _announce(distribution: Any) -> None:
    for listener in _listeners:
        listener(distribution)


def load_distributions() -> None:
    """Load every installed distribution; an entry point names one or a sequence of them.

    A package that fails is warned about and left out: it must not break the others. One that is only half imported
    (it is what imports metarl) waits for the next call.
    """
    points = _entry_points("distribution")
    for key, point in list(points.items()):
        if _half_imported(point.module) or points.pop(key, None) is None:
            continue
        try:
            loaded = _load(point)
            for distribution in [loaded] if hasattr(loaded, "kind") else loaded:
                if _adopt("distribution", distribution):
                    _announce(distribution)
        except (MetarlError, TypeError) as error:
            warnings.warn(f"left out the distributions of {key}: {error}", stacklevel=2)


def _instance(thing: Any) -> Any:
    try:
        return thing() if isinstance(thing, type) else thing
    except TypeError as error:
        raise MetarlError(
            f"{thing.__qualname__} cannot be made without arguments: give an instance ({error})"
        ) from error


def _is_again(known: Any, thing: Any, is_class: bool) -> bool:
    """Whether `thing` is the same definition as `known`, or another version of that distribution."""
    if is_class:
        return _home(type(known)) == _home(type(thing))
    if thing.kind == "distribution" and known.version == thing.version:
        try:
            return known.to_json() == thing.to_json()
        except MetarlError:  # a sampler that is code cannot be compared
            return False
    return thing.kind == "distribution" or known == thing


def _home(cls: type) -> tuple[str, str]:
    """Where a class is written: its file, which may have been run as a module and by its path, or its module."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return str(Path(file).resolve()) if file else cls.__module__, cls.__qualname__


def _adopt(kind: str, thing: Any, name: str | None = None) -> bool:
    """Take in what an entry point holds; of two by one name the first stays, and metarl's own come first."""
    found = getattr(thing, "kind", None), getattr(thing, "name", None)
    if found[0] != kind or not isinstance(found[1], str) or name not in (None, found[1]):
        raise MetarlError(f"an entry point of metarl.{kind}s, {name or ''}, holds {thing!r}: not a {kind} of that name")
    if _registered[kind].setdefault(found[1], thing) is not thing:
        warnings.warn(f"left out an installed {kind}: another named {found[1]!r} is there already", stacklevel=4)
        return False
    _shipped.add((kind, found[1]))
    return True


def _entry_points(kind: str) -> dict[str, EntryPoint]:
    """Entry points by name; those of distributions, whose names say nothing, by package and name."""
    if kind not in _installed:
        found: dict[str, EntryPoint] = {}
        for point in sorted(entry_points(group=f"metarl.{kind}s"), key=lambda point: _package(point) != "metarl"):
            key = f"{_package(point)}: {point.name}" if kind == "distribution" else point.name
            if found.setdefault(key, point).value != point.value:
                warnings.warn(f"two packages install a {kind} named {key!r}: using {found[key].value}", stacklevel=3)
        _installed[kind] = found
    return _installed[kind]


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else ""


def _half_imported(name: str) -> bool:
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
        have = {item.name for item in _things(kind, module)} | {n for k, n in _in(module) if k == kind}
        raise MetarlError(
            f"{location} defines no {kind} named {attribute!r}"
            + (f"; it defines {', '.join(sorted(have))}" if have else f"; it defines no {kind} at all")
        )
    thing = _instance(thing)
    if getattr(thing, "kind", None) != kind:
        raise MetarlError(f"{reference} is a {type(thing).__name__}, not a {kind}")
    return thing


def _things(kind: str, module: ModuleType) -> Iterable[Any]:
    return [value for value in vars(module).values() if getattr(value, "kind", None) == kind and hasattr(value, "name")]


def _registered_in(module: ModuleType, kind: str, name: str) -> Any:
    """What was registered under this name when the module ran; None if nothing."""
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
    """Run a user's file once a process; its registrations happen as it runs."""
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
    """Run a module, noting what it registers; MetarlError where it fails."""
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
