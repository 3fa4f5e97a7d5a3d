"""`metarl speed-games`: env steps a second of the games as tensor programs, beside Gymnasium's vector environment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import tyro

from metarl import registry
from metarl.checks import check_number, check_whole
from metarl.command import Command

DEFAULT = ("GridNavi", "DarkRoom", "Bandit5N100", "MDPN25")


@dataclass(frozen=True)
class SpeedGamesOptions:
    """Env steps a second of whole trials of random actions, tasks and resets included; sides take turns."""

    distributions: tyro.conf.Positional[tuple[str, ...]] = DEFAULT
    """which games"""
    num_envs: int = 4096
    """environments side by side: ours"""
    gymnasium_envs: int = 16
    """environments side by side in Gymnasium's SyncVectorEnv, of GridNavi in plain Python"""
    rounds: int = 5
    """how often each side is measured"""
    seconds: float = 2.0
    """least time a side is measured in a round (s)"""
    threads: int = 1
    """CPU threads; a game's tensors are too small to gain by more"""

    def __post_init__(self) -> None:
        check_whole(self, "num_envs", "gymnasium_envs", "rounds", "threads", low=1)
        check_number(self, "seconds", low=0.0)


def run(options: SpeedGamesOptions) -> None:
    """Measure in turns, print a line a side."""
    from metarl.benchmarks.speed.machine import limited_to
    from metarl.benchmarks.speed.plain_grid import plain_grid
    from metarl.benchmarks.speed.tensors import TensorEnvironment
    from metarl.benchmarks.speed.timing import Side, measure, summary, take_turns

    opened = {
        name: partial(TensorEnvironment, registry.find("distribution", name), options.num_envs)
        for name in options.distributions
    }
    plain = f"GridNavi in Python, SyncVectorEnv({options.gymnasium_envs})"
    with limited_to(options.threads):
        sides: dict[str, Side] = {name: make() for name, make in opened.items()}
        sides[plain] = plain_grid(options.gymnasium_envs)
        for side in sides.values():
            side.warm_up()
        samples = {name: [] for name in sides}
        for name in take_turns(list(sides), options.rounds):
            samples[name].append(measure(sides[name], options.seconds))
        for side in sides.values():
            side.close()
    slow = summary(samples[plain]).median
    for name in sides:
        rate = summary(samples[name])
        spread = f"{rate.low / 1e6:.2f} to {rate.high / 1e6:.2f}"
        print(f"{name:40s} {rate.median / 1e6:8.2f} million a second ({spread}), {rate.median / slow:6.0f} x Python")


COMMAND = Command("speed-games", SpeedGamesOptions, run, "env steps a second of the games, beside plain Python")
