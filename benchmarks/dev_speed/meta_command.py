"""`metarl speed-maml`: a meta-iteration beside its environment, and the meta-gradient beside other ways to it."""

from __future__ import annotations

import json as json_format
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from metarl import registry
from metarl.checks import check_whole
from metarl.cli.command import Command
from metarl.errors import MetarlError

if TYPE_CHECKING:
    from metarl.benchmarks.dev_speed.timing import Rate, Sample, Side

ROWS = (20, 100, 2000)  # a task's inner batch: a bandit's pulls, one rollout of 100 steps, twenty of them
PEER = "learn2learn"
WAYS = ("batched", "loop", "vmap", PEER)
NAMES = {"loop": "a loop over tasks", "vmap": "vmap of grad of functional_call", PEER: "learn2learn's MAML"}


@dataclass(frozen=True)
class MetaSpeedOptions:
    """Env steps a second of a MAML preset's meta-iteration, published size by default."""

    agent: str = "promp"
    """a preset of the MAML family"""
    distribution: str = "HalfCheetahDirH100"
    """a name, path/to/file.py:Name or package.module:Name"""
    meta_batch_size: int = 40
    """tasks"""
    rollouts: int = 20
    """of each task before and after the inner step"""
    outer_epochs: int = 5
    """gradient steps on a meta-batch"""
    rounds: int = 5
    """how often each side is measured; they take turns"""
    threads: int | None = None
    """CPU threads of every side; all cores by default"""
    json: Path | None = None
    """write machine, options and every sample to this file"""

    def __post_init__(self) -> None:
        check_whole(self, "meta_batch_size", "rollouts", "outer_epochs", "rounds", low=1)
        if self.threads is not None:
            check_whole(self, "threads", low=1)


def sides(o: MetaSpeedOptions) -> dict[str, Side]:
    """The engine and the environment alone, the meta-iteration, and the installed ways to a meta-gradient, by size."""
    from metarl.benchmarks.dev_speed.bare import BarePhysics, StockPhysics
    from metarl.benchmarks.dev_speed.meta import MetaGradient, MetaIteration
    from metarl.benchmarks.dev_speed.meta_update import LOOPS, MetaUpdate
    from metarl.benchmarks.dev_speed.tensors import TensorEnvironment

    distribution = registry.find("distribution", o.distribution)
    num_envs = o.meta_batch_size * o.rollouts
    settings = {"num_envs": num_envs, "meta_batch_size": o.meta_batch_size, "outer_epochs": o.outer_epochs}
    found: dict[str, Side] = {}
    with suppress(MetarlError):  # a game runs on no engine
        found["bare physics"] = BarePhysics(distribution, num_envs)
        found["MuJoCo as it comes"] = StockPhysics(distribution, num_envs)
    found |= {
        "environment": TensorEnvironment(distribution, num_envs),
        "meta-iteration": (iteration := MetaIteration(distribution, o.agent, **settings)),
    }
    if o.agent == "promp" and iteration.learner.policy.actions.stds:  # the loops are ProMP's, of robots
        found |= {f"{way}, update": MetaUpdate(iteration, way) for way in ("batched", *LOOPS)}
    for rows in ROWS:
        for way in WAYS if left_out() is None else WAYS[:-1]:
            found[f"{way}, {rows} rows"] = MetaGradient(way, o.meta_batch_size, rows)
    return found


def left_out() -> str | None:
    """Why the peer is not measured, where it is not."""
    from metarl.benchmarks.dev_speed.meta import MetaGradient

    try:
        MetaGradient(PEER, 1, 1)
    except MetarlError as error:
        return str(error)
    return None


def run(options: MetaSpeedOptions) -> None:
    """Measure, print two tables, write the file asked for."""
    from metarl.benchmarks.dev_speed.meta import MetaIteration
    from metarl.benchmarks.dev_speed.timing import measure, summary, take_turns
    from metarl.runtime.machine import describe, limited_to
    from metarl.training.run_dir import write_atomically

    machine = describe()
    if options.json is not None and not (folder := options.json.absolute().parent).is_dir():
        raise MetarlError(f"there is no directory {folder} to write {options.json.name} into: make it first")
    with limited_to(options.threads or machine["cores"]):
        measured = sides(options)
        samples: dict[str, list[Sample]] = {name: [] for name in measured}
        for side in measured.values():
            side.warm_up()
        for name in take_turns(list(measured), options.rounds):
            samples[name].append(measure(measured[name], 0.5))
        iteration = measured["meta-iteration"]
        assert isinstance(iteration, MetaIteration)
        shares = iteration.shares
        for side in measured.values():
            side.close()
    rounds = {name: summary(found) for name, found in samples.items()}
    rates = {name: rate.median for name, rate in rounds.items()}
    console = Console(highlight=False)
    for table in (_rates(rounds), _shares(shares), _updates(rates), _ways(rates)):
        console.print(table)
    if why := left_out():
        console.print(f"left out: {PEER}: {escape(why)}")
    if options.json is not None:
        data: dict[str, Any] = {"machine": machine, "options": asdict(options), "shares": shares}
        data["samples"] = {name: [asdict(sample) for sample in found] for name, found in samples.items()}
        write_atomically(options.json, (json_format.dumps(data, indent=2, default=str) + "\n").encode())


def _rates(rounds: dict[str, Rate]) -> Table:
    """Medians and their ratios; the range of rounds tells how much others used the machine."""
    wholes = [name for name in ("MuJoCo as it comes", "bare physics", "environment") if name in rounds]
    table = Table("side", "1000 env steps/s", "of rounds", *(f"of the {name}" for name in wholes))
    for name in (*wholes, "meta-iteration"):
        rate = rounds[name]
        ratios = (f"{rate.median / rounds[whole].median:.2f}" for whole in wholes)
        table.add_row(name, f"{rate.median / 1000:.1f}", f"{rate.low / 1000:.1f} to {rate.high / 1000:.1f}", *ratios)
    return table


def _shares(shares: dict[str, float]) -> Table:
    table = Table("part of a meta-iteration", "share of its time")
    for name, share in shares.items():
        table.add_row(name, f"{share:.0%}")
    return table


def _updates(rates: dict[str, float]) -> Table:
    from metarl.benchmarks.dev_speed.meta_update import LOOPS

    loops = {way: name for way, name in LOOPS.items() if f"{way}, update" in rates}
    table = Table("gradient of an outer step", "1000 env steps/s", *(f"x {name}" for name in loops.values()))
    if loops:
        ours = rates["batched, update"]
        ratios = (f"{ours / rates[f'{way}, update']:.2f}" for way in loops)
        table.add_row("all tasks at once", f"{ours / 1000:.0f}", *ratios)
    return table


def _ways(rates: dict[str, float]) -> Table:
    others = [way for way in NAMES if f"{way}, {ROWS[0]} rows" in rates]
    table = Table("rows a task", "batched, 1000 rows/s", *(f"x {NAMES[way]}" for way in others))
    for rows in ROWS:
        ours = rates[f"batched, {rows} rows"]
        ratios = (f"{ours / rates[f'{way}, {rows} rows']:.2f}" for way in others)
        table.add_row(str(rows), f"{ours / 1000:.0f}", *ratios)
    return table


COMMAND = Command(
    "speed-maml", MetaSpeedOptions, run, "a MAML meta-iteration's speed and shares; its meta-gradient beside others"
)
