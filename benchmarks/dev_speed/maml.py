"""`python -m metarl.benchmarks.dev_speed maml`: a meta-iteration beside its environment, and its meta-gradient.

It prints the rate of the meta-iteration relative to the environment and to the bare physics, the time shares of its
parts, and the speed of the meta-gradient relative to other ways to compute it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from metarl import registry
from metarl.benchmarks.commands.speed import check_json_file, write_json
from metarl.checks import check_whole
from metarl.errors import MetarlError

if TYPE_CHECKING:
    from metarl.benchmarks.dev_speed.side import Side
    from metarl.runtime.timing import Rate, Sample

ROWS = (20, 100, 2000)  # rows of a task's inner batch: trials of a bandit, one rollout of 100 steps, twenty of them
SECONDS = 0.5  # shortest time for which a side is measured in a round
PEER = "learn2learn"
WAYS = ("batched", "loop", "vmap", PEER)
NAMES = {"loop": "a loop over tasks", "vmap": "vmap of grad of functional_call", PEER: "learn2learn's MAML"}
BASELINES = ("unmodified MuJoCo", "bare physics", "environment")


@dataclass(frozen=True)
class MamlSpeedOptions:
    """Env steps per second of a MAML agent's meta-iteration, by default of the published size, and of its parts."""

    agent: str = "promp"
    """a preset of the MAML family, such as promp or maml"""
    distribution: str = "HalfCheetahDirH100"
    """a name, path/to/file.py:Name or package.module:Name"""
    meta_batch_size: int = 40
    """tasks of a meta-batch"""
    rollouts: int = 20
    """rollouts of each task before the inner step, and as many after it"""
    outer_epochs: int = 5
    """gradient steps on a meta-batch"""
    rounds: int = 5
    """measurements of each side; sides take turns"""
    threads: int | None = None
    """CPU threads of every side; all cores by default"""
    json: Path | None = None
    """write machine, options and every sample to this file"""

    def __post_init__(self) -> None:
        check_whole(self, "meta_batch_size", "rollouts", "outer_epochs", "rounds", low=1)
        if self.threads is not None:
            check_whole(self, "threads", low=1)


def sides(o: MamlSpeedOptions) -> dict[str, Side]:
    """Return bare physics, the environment, the meta-iteration, and the ways to compute the gradient, by size."""
    from metarl.benchmarks.dev_speed.bare import BarePhysics, StockPhysics
    from metarl.benchmarks.dev_speed.meta_gradient import MetaGradient
    from metarl.benchmarks.dev_speed.meta_iteration import MetaIteration
    from metarl.benchmarks.dev_speed.meta_update import LOOPS, MetaUpdate
    from metarl.benchmarks.dev_speed.tensor_env import TensorEnvironment

    distribution = registry.find("distribution", o.distribution)
    num_envs = o.meta_batch_size * o.rollouts
    settings = {"num_envs": num_envs, "meta_batch_size": o.meta_batch_size, "outer_epochs": o.outer_epochs}
    all_sides: dict[str, Side] = {}
    with suppress(MetarlError):  # games have no physics engine
        all_sides["bare physics"] = BarePhysics(distribution, num_envs)
        all_sides["unmodified MuJoCo"] = StockPhysics(distribution, num_envs)
    all_sides |= {
        "environment": TensorEnvironment(distribution, num_envs),
        "meta-iteration": (iteration := MetaIteration(distribution, o.agent, **settings)),
    }
    if o.agent == "promp" and iteration.learner.policy.actions.stds:  # the loops implement ProMP, continuous actions
        all_sides |= {f"{way}, update": MetaUpdate(iteration, way) for way in ("batched", *LOOPS)}
    for rows in ROWS:
        for way in WAYS if left_out() is None else WAYS[:-1]:
            all_sides[f"{way}, {rows} rows"] = MetaGradient(way, o.meta_batch_size, rows)
    return all_sides


def left_out() -> str | None:
    """Return the reason why the peer cannot be measured; None if it can."""
    from metarl.benchmarks.dev_speed.meta_gradient import MetaGradient

    try:
        MetaGradient(PEER, 1, 1)
    except MetarlError as error:
        return str(error)
    return None


def run(options: MamlSpeedOptions) -> None:
    """Measure, print tables, and write the JSON file if there is one."""
    from metarl.benchmarks.dev_speed.meta_iteration import MetaIteration
    from metarl.runtime.machine import describe, limited_to
    from metarl.runtime.timing import measure, summarize, take_turns

    machine = describe()
    check_json_file(options.json)
    with limited_to(options.threads or machine["cores"]):
        measured = sides(options)
        samples: dict[str, list[Sample]] = {name: [] for name in measured}
        for side in measured.values():
            side.warm_up()
        for name in take_turns(list(measured), options.rounds):
            samples[name].append(measure(measured[name].work, SECONDS))
        iteration = measured["meta-iteration"]
        assert isinstance(iteration, MetaIteration)
        shares = iteration.shares
        for side in measured.values():
            side.close()
    rates = {name: summarize(of_side) for name, of_side in samples.items()}
    medians = {name: rate.median for name, rate in rates.items()}
    console = Console(highlight=False)
    for table in (_rates(rates), _shares(shares), _updates(medians), _ways(medians)):
        console.print(table)
    if why := left_out():
        console.print(f"left out: {PEER}: {escape(why)}")
    data: dict[str, Any] = {"machine": machine, "options": asdict(options), "shares": shares}
    data["samples"] = {name: [asdict(sample) for sample in of_side] for name, of_side in samples.items()}
    write_json(options.json, data)


def _rates(rates: dict[str, Rate]) -> Table:
    """Return medians and their ratios. A wide range of rounds is a sign that other programs used the machine."""
    baselines = [name for name in BASELINES if name in rates]
    table = Table("side", "1000 env steps/s", "of rounds", *(f"of the {name}" for name in baselines))
    for name in (*baselines, "meta-iteration"):
        rate = rates[name]
        ratios = (f"{rate.median / rates[baseline].median:.2f}" for baseline in baselines)
        table.add_row(name, f"{rate.median / 1000:.1f}", f"{rate.low / 1000:.1f} to {rate.high / 1000:.1f}", *ratios)
    return table


def _shares(shares: dict[str, float]) -> Table:
    table = Table("part of a meta-iteration", "share of its time")
    for name, share in shares.items():
        table.add_row(name, f"{share:.0%}")
    return table


def _updates(medians: dict[str, float]) -> Table:
    from metarl.benchmarks.dev_speed.meta_update import LOOPS

    loops = {way: name for way, name in LOOPS.items() if f"{way}, update" in medians}
    table = Table("gradient of an outer step", "1000 env steps/s", *(f"x {name}" for name in loops.values()))
    if loops:
        batched = medians["batched, update"]
        ratios = (f"{batched / medians[f'{way}, update']:.2f}" for way in loops)
        table.add_row("all tasks at once", f"{batched / 1000:.0f}", *ratios)
    return table


def _ways(medians: dict[str, float]) -> Table:
    others = [way for way in NAMES if f"{way}, {ROWS[0]} rows" in medians]
    table = Table("rows a task", "batched, 1000 rows/s", *(f"x {NAMES[way]}" for way in others))
    for rows in ROWS:
        batched = medians[f"batched, {rows} rows"]
        ratios = (f"{batched / medians[f'{way}, {rows} rows']:.2f}" for way in others)
        table.add_row(str(rows), f"{batched / 1000:.0f}", *ratios)
    return table
