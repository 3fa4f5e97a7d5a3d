"""`metarl list [NAME]`."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from metarl import registry
from metarl.cli.main import parse
from metarl.errors import MetarlError, unknown
from metarl.tasks.parameter import Parameter
from metarl.tasks.task_distribution import TaskDistribution


@dataclass(frozen=True)
class ListOptions:
    """What there is: distributions, worlds, goals, perturbations and agents; or one of them in full."""

    name: tyro.conf.Positional[str | None] = None
    """any name, path/to/file.py:Name or package.module:Name; everything when left out"""
    markdown: bool = False
    """print the table of distributions as Markdown, as it stands in the README"""


def main(arguments: list[str]) -> None:
    """Print tables."""
    options: ListOptions = parse(ListOptions, arguments, "metarl list")
    console = Console(highlight=False)
    if options.markdown:
        print(distribution_markdown())
    elif options.name is None:
        _everything(console)
    else:
        _one(console, options.name)


def distribution_rows() -> list[tuple[str, ...]]:
    """A row of COLUMNS for every distribution; the README's table is printed from it too."""
    rows = []
    for name in registry.names("distribution"):
        d: TaskDistribution = registry.find("distribution", name)
        varies = "; ".join(f"{_label(names)} ~ {sampler}" for names, sampler in d.parameters.items())
        rows.append((name, d.world, varies, f"{d.horizon} x {d.episodes}", ", ".join(d.splits), d.tests))
    return rows


def distribution_markdown() -> str:
    """The table of built-in and installed distributions."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *distribution_rows()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


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
    for thing in [registry.find_any(name)] if ":" in name else _named(name):
        _thing(console, name, thing)


def _thing(console: Console, name: str, thing: Any) -> None:
    if getattr(thing, "kind", None) not in registry.KINDS:
        raise MetarlError(f"{name} names nothing to list: give a {', '.join(registry.KINDS[:-1])} or an agent")
    console.print(f"[bold]{thing.kind} [cyan]{thing.name}[/][/]")
    if thing.kind == "distribution":
        _distribution(console, thing)
    elif thing.kind == "agent":
        _agent(console, thing)
    else:
        console.print(Markdown(inspect.getdoc(thing) or ""))
        _configured(console, thing)


def _named(name: str) -> list[Any]:
    """What has this name: a game's world and its plainest distribution may share one."""
    if found := [registry.find(kind, name) for kind in registry.KINDS if name in registry.names(kind)]:
        return found
    raise unknown("name", name, [n for kind in registry.KINDS for n in registry.names(kind)])


def _configured(console: Console, thing: Any) -> None:
    """The parameters of a goal, and those of what a robot combines with."""
    if isinstance(getattr(thing, "parameters", None), tuple) and thing.parameters:  # a goal's
        console.print(_parameters("parameters", thing.parameters))
    for goal in thing.goals() if hasattr(thing, "goals") else ():
        if goal.parameters:
            console.print(_parameters(f"parameters of the goal {goal.name}", goal.parameters))
        else:
            console.print(f"the goal {goal.name} has no parameters")
    if hasattr(thing, "perturbed"):
        console.print(_parameters("parameters of perturbations", thing.perturbed()))


def _distribution(console: Console, d: TaskDistribution) -> None:
    if d.tests:
        console.print(f"to {d.tests}")
    console.print(f"world {d.world}" + (f", goal {d.goal}" if d.goal else ""))
    console.print(f"{d.horizon} steps an episode at most (H), {d.episodes} episodes a trial (K)")
    held_out = {"iid": "fresh draws from the same sampler", "disjoint": "no task is in two of them"}[d.split]
    console.print(f"splits {', '.join(d.splits)}" + (f": {held_out}" if "test" in d.splits else ""))
    for label, samplers in (("train", d.parameters), ("ood", d.ood)):
        for names, sampler in samplers.items():
            console.print(f"  {label}: {_label(names)} ~ {sampler}", markup=False)
    known = d.simulated_world.parameters(d.world_config)
    console.print(_parameters("what varies", tuple(p for p in known if p.name in d.specs)))
    if others := tuple(p for p in known if p.name not in d.specs):
        console.print(_parameters("what could vary, and is neutral here", others))


def _parameters(title: str, parameters: tuple[Parameter, ...]) -> Table:
    table = Table("parameter", "bounds", "neutral", "what it is", title=title, title_justify="left", min_width=76)
    for p in parameters:
        shape = "".join(f"\\[{n}]" for n in p.shape)
        table.add_row(p.name + shape, p.interval.replace("[", "\\["), str(np.asarray(p.neutral).tolist()), p.doc)
    return table


def _agent(console: Console, kind: Any) -> None:
    console.print(kind.about)
    table = Table("setting", "default")
    defaults = kind.settings()
    for f in fields(kind.settings):
        table.add_row(f.name, str(getattr(defaults, f.name)))
    console.print(table)
    for distribution, settings in kind.tuned.items():
        console.print(f"tuned for {distribution}: {dict(settings)}", markup=False)
    if kind.learner is not None:
        console.print(f"what they mean: `metarl train {kind.name} DISTRIBUTION --help`")


def _label(names: str | tuple[str, ...]) -> str:
    return names if isinstance(names, str) else "(" + ", ".join(names) + ")"
