"""`metarl list [NAME]`: tables of everything in the registry."""

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
from metarl.core.agent import AgentType
from metarl.errors import MetarlError, unknown
from metarl.tasks.parameter import Parameter
from metarl.tasks.task_distribution import TaskDistribution


@dataclass(frozen=True)
class ListOptions:
    """List all distributions, worlds, goals, perturbations and agents; or show one of them in full."""

    name: tyro.conf.Positional[str | None] = None
    """a name, path/to/file.py:Name or package.module:Name; without it, everything is listed"""
    markdown: bool = False
    """print the README's table of distributions, in Markdown"""


def main(arguments: list[str]) -> None:
    """Run `metarl list`."""
    options: ListOptions = parse(ListOptions, arguments, "metarl list")
    console = Console(highlight=False)
    if options.markdown:
        print(distribution_markdown())
    elif options.name is None:
        _list_everything(console)
    else:
        _show_name(console, options.name)


def distribution_rows() -> list[tuple[str, ...]]:
    """Return a row of COLUMNS for every distribution."""
    rows = []
    for name in registry.names("distribution"):
        d: TaskDistribution = registry.find("distribution", name)
        varies = "; ".join(f"{_label(names)} ~ {sampler}" for names, sampler in d.parameters.items())
        rows.append((name, d.world, varies, f"{d.horizon} x {d.episodes}", ", ".join(d.splits), d.tests))
    return rows


def distribution_markdown() -> str:
    """Return the table of docs/distributions.md: all built-in and installed distributions."""
    rows = [COLUMNS, ("---",) * len(COLUMNS), *distribution_rows()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


COLUMNS = ("distribution", "world", "what varies (train)", "H x K", "splits", "tests")


def _list_everything(console: Console) -> None:
    console.print("[bold]distributions[/] (H steps per episode x K episodes per trial)")
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


def _show_name(console: Console, name: str) -> None:
    for thing in [registry.find_any(name)] if ":" in name else _find_all(name):
        _show_thing(console, name, thing)


def _show_thing(console: Console, name: str, thing: Any) -> None:
    if getattr(thing, "kind", None) not in registry.KINDS:
        raise MetarlError(f"{name} names nothing to list: give a {', '.join(registry.KINDS[:-1])} or an agent")
    console.print(f"[bold]{thing.kind} [cyan]{thing.name}[/][/]")
    if thing.kind == "distribution":
        _show_distribution(console, thing)
    elif thing.kind == "agent":
        _show_agent(console, thing)
    else:
        console.print(Markdown(inspect.getdoc(thing) or ""))
        _show_parameters(console, thing)


def _find_all(name: str) -> list[Any]:
    """Return the things of all kinds with this name, which a world and a distribution may share."""
    if things := [registry.find(kind, name) for kind in registry.KINDS if name in registry.names(kind)]:
        return things
    raise unknown("name", name, [n for kind in registry.KINDS for n in registry.names(kind)])


def _show_parameters(console: Console, thing: Any) -> None:
    """Print the parameters of a goal, or of the goals and perturbations of a robot."""
    if isinstance(getattr(thing, "parameters", None), tuple) and thing.parameters:  # a goal
        console.print(_parameter_table("parameters", thing.parameters))
    for goal in thing.goals() if hasattr(thing, "goals") else ():
        if goal.parameters:
            console.print(_parameter_table(f"parameters of the goal {goal.name}", goal.parameters))
        else:
            console.print(f"the goal {goal.name} has no parameters")
    if hasattr(thing, "perturbed"):
        console.print(_parameter_table("parameters of perturbations", thing.perturbed()))


def _show_distribution(console: Console, d: TaskDistribution) -> None:
    if d.tests:
        console.print(f"tests: {d.tests}", markup=False)
    console.print(f"world {d.world}" + (f", goal {d.goal}" if d.goal else ""))
    console.print(f"at most {d.horizon} steps per episode (H), {d.episodes} episodes per trial (K)")
    held_out = {"iid": "fresh draws from the same sampler", "disjoint": "no task is in two of them"}[d.split]
    console.print(f"splits {', '.join(d.splits)}" + (f": {held_out}" if "test" in d.splits else ""))
    for label, samplers in (("train", d.parameters), ("ood", d.ood)):
        for names, sampler in samplers.items():
            console.print(f"  {label}: {_label(names)} ~ {sampler}", markup=False)
    known = d.simulated_world.parameters(d.world_config)
    console.print(_parameter_table("parameters that vary", tuple(p for p in known if p.name in d.specs)))
    if others := tuple(p for p in known if p.name not in d.specs):
        console.print(_parameter_table("other parameters, with neutral values", others))


def _parameter_table(title: str, parameters: tuple[Parameter, ...]) -> Table:
    table = Table("parameter", "bounds", "neutral", "description", title=title, title_justify="left", min_width=76)
    for p in parameters:
        shape = "".join(f"\\[{n}]" for n in p.shape)
        table.add_row(p.name + shape, p.interval.replace("[", "\\["), str(np.asarray(p.neutral).tolist()), p.doc)
    return table


def _show_agent(console: Console, agent_type: AgentType) -> None:
    console.print(agent_type.about)
    table = Table("setting", "default")
    defaults = agent_type.settings()
    for f in fields(agent_type.settings):
        table.add_row(f.name, str(getattr(defaults, f.name)))
    console.print(table)
    for distribution, settings in agent_type.tuned.items():
        console.print(f"tuned for {distribution}: {dict(settings)}", markup=False)
    if agent_type.learner is not None:
        console.print(f"descriptions: `metarl train {agent_type.name} DISTRIBUTION --help`")


def _label(names: str | tuple[str, ...]) -> str:
    return names if isinstance(names, str) else "(" + ", ".join(names) + ")"
