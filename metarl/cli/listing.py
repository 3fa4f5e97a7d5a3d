"""`metarl list [NAME]`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table

from metarl import registry
from metarl.cli import parse
from metarl.distribution import TaskDistribution
from metarl.errors import unknown
from metarl.parameters import Parameter


@dataclass(frozen=True)
class ListOptions:
    """What there is: distributions, worlds, goals, perturbations and agents; or one of them in full."""

    name: tyro.conf.Positional[str | None] = None
    """any name, path/to/file.py:Name or package.module:Name; everything when left out"""


def main(arguments: list[str]) -> None:
    """Print tables."""
    options: ListOptions = parse(ListOptions, arguments, "metarl list")
    console = Console(highlight=False)
    if options.name is None:
        _everything(console)
    else:
        _one(console, options.name)


def distribution_rows() -> list[tuple[str, ...]]:
    """A row of COLUMNS for every distribution; the README's table is printed from it too."""
    rows = []
    for name in registry.names("distribution"):
        d: TaskDistribution = registry.find("distribution", name)
        varies = "; ".join(f"{_label(names)} ~ {law}" for names, law in d.parameters.items())
        rows.append((name, d.world, varies, f"{d.horizon} x {d.episodes}", ", ".join(d.splits), d.tests))
    return rows


COLUMNS = ("distribution", "world", "what varies (train)", "H x K", "splits", "tests")


def _everything(console: Console) -> None:
    console.print("[bold]distributions[/] (H steps an episode x K episodes a trial)")
    for name, world, varies, size, splits, tests in distribution_rows():
        console.print(f"  [bold cyan]{name}[/]  {world}, {size}, {splits}")
        console.print(f"      {varies}")
        console.print(f"      [dim]{tests}[/]")
    for kind in ("world", "goal", "perturbation"):
        console.print(f"[bold]{kind}s[/]: {', '.join(registry.names(kind))}")
    console.print("[bold]agents[/]")
    for name in registry.names("agent"):
        console.print(f"  [bold cyan]{name}[/]  {registry.find('agent', name).about}")
    console.print("[dim]`metarl list NAME` shows one of them in full[/]")


def _one(console: Console, name: str) -> None:
    kinds = [kind for kind in registry.KINDS if name in registry.names(kind)]
    if ":" in name:
        kinds = [kind for kind in registry.KINDS if getattr(registry.find_any(name), "kind", None) == kind]
    if not kinds:
        raise unknown("name", name, [n for kind in registry.KINDS for n in registry.names(kind)])
    thing = registry.find(kinds[0], name)
    console.print(f"[bold]{kinds[0]} {thing.name}[/]")
    if isinstance(thing, TaskDistribution):
        _distribution(console, thing)
    elif kinds[0] == "world":
        console.print(type(thing).__doc__ or "", markup=False)
        for goal in thing.goals():
            console.print(_parameters(f"goal {goal.name}", goal.parameters))
        console.print(_parameters("perturbations", thing.perturbed()))
    elif kinds[0] == "agent":
        _agent(console, thing)
    else:
        console.print(type(thing).__doc__ or "", markup=False)


def _distribution(console: Console, d: TaskDistribution) -> None:
    console.print(f"{d.tests}\nworld {d.world}, goal {d.goal}, H {d.horizon}, K {d.episodes}, splits {', '.join(d.splits)}")
    for label, laws in (("train", d.parameters), ("ood", d.ood)):
        for names, law in laws.items():
            console.print(f"  {label}: {_label(names)} ~ {law}")
    console.print(_parameters("every parameter a task may set", d.simulated_world.parameters(d)))


def _parameters(title: str, parameters: tuple[Parameter, ...]) -> Table:
    table = Table("parameter", "shape", "unit", "bounds", "neutral", "what it is", title=title, title_justify="left")
    for p in parameters:
        table.add_row(p.name, str(p.shape), p.unit or "-", p.interval, str(p.neutral), p.doc)
    return table


def _agent(console: Console, kind: Any) -> None:
    console.print(kind.about)
    table = Table("setting", "default")
    defaults = kind.settings()
    for f in fields(kind.settings):
        table.add_row(f.name, str(getattr(defaults, f.name)))
    console.print(table)
    for distribution, settings in kind.tuned.items():
        console.print(f"tuned for {distribution}: {dict(settings)}")


def _label(names: str | tuple[str, ...]) -> str:
    return names if isinstance(names, str) else "(" + ", ".join(names) + ")"
