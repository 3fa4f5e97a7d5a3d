"""Throughput by batch size: the table and the JSON file of `dev_speed robots --device cuda`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from metarl import registry
from metarl.benchmarks.commands.speed import write_json
from metarl.benchmarks.dev_speed.on_device import Measured, measure_sizes
from metarl.benchmarks.dev_speed.robot_options import RobotSpeedOptions
from metarl.runtime.devices import pick_device
from metarl.runtime.machine import describe

FLOORS = {("environment", "bare"): 0.85, ("varied", "environment"): 0.90, ("rl2", "environment"): 0.50}
"""(side, reference) -> smallest acceptable ratio of their rates"""


def run(options: RobotSpeedOptions) -> None:
    """Measure, print a table, and write the JSON file if there is one."""
    console = Console()
    distributions = {name: registry.find("distribution", name) for name in options.distributions}
    device = pick_device(options.device, *distributions.values())
    machine = describe() | ({"gpu": torch.cuda.get_device_name()} if device == "cuda" else {})
    training = {"epochs": options.epochs, "hidden_size": options.hidden_size} if options.training else None
    measured: list[Measured] = []
    for of_size in measure_sizes(
        distributions, options.sizes, device, options.engine, options.rounds, options.seconds,
        lambda message: console.print(message, style="dim"), training,
    ):  # fmt: skip
        measured += of_size
        write_json(options.json, to_json(measured, machine, options))  # after every size: an interrupt loses nothing
    console.print(table(measured))
    console.print(machine.get("gpu") or "on cpu, which is no measure of a GPU", highlight=False)


def ratios(measured: Sequence[Measured]) -> dict[tuple[str, int, str], float]:
    """Return (distribution, size, side) -> its rate divided by the rate of its reference."""
    rates = {(m.distribution, m.num_envs, m.side): m.rate.median for m in measured}
    return {
        (name, size, side): rate / rates[name, size, reference]
        for (name, size, side), rate in rates.items()
        for of, reference in FLOORS
        if of == side and (name, size, reference) in rates
    }


def table(measured: Sequence[Measured]) -> Table:
    """Return a table with one row per side and size."""
    title = "thousands of env steps a second; times: environment of bare; varied and rl2 of environment"
    out = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("distribution", "envs", "side", "1000/s", "times", "compiling, s"):
        out.add_column(column, justify="left" if column[0] in "ds" else "right", no_wrap=True)
    by_side = ratios(measured)
    for m in measured:
        ratio = by_side.get((m.distribution, m.num_envs, m.side))
        rate, compiling = f"{m.rate.median / 1e3:.1f}", f"{m.compile_seconds:.1f}"
        out.add_row(m.distribution, str(m.num_envs), m.side, rate, "" if ratio is None else f"{ratio:.2f}", compiling)
    return out


def to_json(measured: Sequence[Measured], machine: Mapping[str, Any], options: RobotSpeedOptions) -> dict[str, Any]:
    """Return the content of the JSON file, with every sample."""
    by_side = [
        {"distribution": name, "num_envs": size, "side": side, "ratio": ratio}
        for (name, size, side), ratio in ratios(measured).items()
    ]
    floors = [{"side": side, "reference": reference, "floor": floor} for (side, reference), floor in FLOORS.items()]
    return {
        "machine": machine, "options": asdict(options), "floors": floors, "ratios": by_side,
        "measured": [m.to_json() for m in measured],
    }  # fmt: skip
