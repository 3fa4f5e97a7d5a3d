"""The table and the file of `metarl speed --device cuda`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from metarl import registry
from metarl.benchmarks.dev_speed.on_device import Measured, measure_sizes
from metarl.runtime.devices import pick_device
from metarl.runtime.machine import describe
from metarl.training.run_dir import write_atomically

if TYPE_CHECKING:
    from metarl.benchmarks.dev_speed.command import SpeedOptions

FLOORS = {("environment", "bare"): 0.85, ("varied", "environment"): 0.90, ("rl2", "environment"): 0.50}


def run(options: SpeedOptions) -> None:
    """Measure, print, write."""
    console = Console()
    distributions = {name: registry.find("distribution", name) for name in options.families}
    device = pick_device(options.device, *distributions.values())
    machine = describe() | ({"gpu": torch.cuda.get_device_name()} if device == "cuda" else {})
    found: list[Measured] = []
    for measured in measure_sizes(
        distributions, options.sizes, device, options.engine, options.rounds, options.seconds,
        lambda what: console.print(what, style="dim"), _training(options),
    ):  # fmt: skip
        found += measured
        if options.json is not None:  # each time, so that nothing measured is lost
            write_atomically(options.json, (json.dumps(to_json(found, machine, options), indent=2) + "\n").encode())
    console.print(table(found))
    console.print(machine.get("gpu") or "on cpu, which is no measure of a GPU", highlight=False)


def _training(options: SpeedOptions) -> dict[str, Any] | None:
    """RL²'s settings, where training is to be measured."""
    return {"epochs": options.epochs, "hidden_size": options.hidden_size} if options.training else None


def ratios(found: Sequence[Measured]) -> dict[tuple[str, int, str], float]:
    """(distribution, size, side) -> its rate over that of what it is to be compared with."""
    rates = {(m.distribution, m.num_envs, m.side): m.rate.median for m in found}
    return {
        (name, size, side): rate / rates[name, size, reference]
        for (name, size, side), rate in rates.items()
        for of, reference in FLOORS
        if of == side and (name, size, reference) in rates
    }


def table(found: Sequence[Measured]) -> Table:
    """A row a side and size."""
    title = "thousands of env steps a second; times: environment of bare; varied and rl2 of environment"
    out = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("distribution", "envs", "side", "1000/s", "times", "compiling, s"):
        out.add_column(column, justify="left" if column[0] in "ds" else "right", no_wrap=True)
    against = ratios(found)
    for m in found:
        ratio = against.get((m.distribution, m.num_envs, m.side))
        rate, once = f"{m.rate.median / 1e3:.1f}", f"{m.compile_seconds:.1f}"
        out.add_row(m.distribution, str(m.num_envs), m.side, rate, "" if ratio is None else f"{ratio:.2f}", once)
    return out


def to_json(found: Sequence[Measured], machine: Mapping[str, Any], options: SpeedOptions) -> dict[str, Any]:
    """Raw samples too."""
    against = [
        {"distribution": name, "num_envs": size, "side": side, "ratio": ratio}
        for (name, size, side), ratio in ratios(found).items()
    ]
    floors = [{"side": side, "reference": reference, "floor": floor} for (side, reference), floor in FLOORS.items()]
    chosen = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(options).items()}
    return {
        "machine": machine, "options": chosen, "floors": floors, "ratios": against,
        "measured": [m.to_json() for m in found],
    }  # fmt: skip
