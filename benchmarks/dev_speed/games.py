"""`metarl speed-games`: env steps a second of the games as tensor programs, beside other libraries' games."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import tyro

from metarl import registry
from metarl.checks import check_number, check_whole
from metarl.cli.command import Command
from metarl.errors import MetarlError

if TYPE_CHECKING:
    from metarl.benchmarks.dev_speed.timing import Side

DEFAULT = ("GridNavi", "DarkRoom", "Bandit5N100", "MDPN25")


@dataclass(frozen=True)
class SpeedGamesOptions:
    """Env steps a second of random actions, tasks and resets included; sides take turns.

    Whole trials; where episodes may end early, each environment begins its next one at once, so that none rests."""

    distributions: tyro.conf.Positional[tuple[str, ...]] = DEFAULT
    """which games"""
    num_envs: int = 4096
    """environments side by side, in all processes together: ours and gymnax's"""
    gymnasium_envs: int = 16
    """environments side by side in Gymnasium's SyncVectorEnv, in each process, of GridNavi in plain Python"""
    peers: bool = True
    """measure gymnax's games, too, where it is installed"""
    rounds: int = 5
    """how often each side is measured"""
    seconds: float = 2.0
    """least time a side is measured in a round (s)"""
    processes: int | None = None
    """that share the environments, one thread each; by default one for each core"""

    def __post_init__(self) -> None:
        check_whole(self, "num_envs", "gymnasium_envs", "rounds", low=1)
        check_number(self, "seconds", low=0.0)
        if self.processes is not None:
            check_whole(self, "processes", low=1)
        if self.num_envs % self.shares:
            raise MetarlError(f"num_envs {self.num_envs} must be a multiple of the processes, {self.shares}")

    @property
    def shares(self) -> int:
        """The number of processes."""
        from metarl.runtime import threads

        return self.processes or threads.available()

    @property
    def plain(self) -> str:
        """The side that all others are compared with."""
        return f"GridNavi in Python, SyncVectorEnv({self.gymnasium_envs})"


def open_sides(options: SpeedGamesOptions) -> Mapping[str, Side]:
    """What is measured, in one of the processes."""
    from metarl.benchmarks.dev_speed.gymnax_games import gymnax_games
    from metarl.benchmarks.dev_speed.plain_grid import plain_grid
    from metarl.benchmarks.dev_speed.tensors import tensor_side

    num_envs = options.num_envs // options.shares
    ours = {n: tensor_side(registry.find("distribution", n), num_envs) for n in options.distributions}
    peers = gymnax_games(num_envs) if options.peers else {}
    return {**ours, **peers, options.plain: plain_grid(options.gymnasium_envs)}


def run(options: SpeedGamesOptions) -> None:
    """Measure in turns, print a line a side."""
    from metarl.benchmarks.dev_speed.gymnax_games import missing
    from metarl.benchmarks.dev_speed.timing import summary
    from metarl.benchmarks.dev_speed.together import measure_together

    samples = measure_together(partial(open_sides, options), options.shares, options.rounds, options.seconds)
    slow = summary(samples[options.plain]).median
    print(f"{options.num_envs} environments in {options.shares} processes, one thread each")
    for name in samples:
        rate = summary(samples[name])
        spread = f"{rate.low / 1e6:.2f} to {rate.high / 1e6:.2f}"
        print(f"{name:40s} {rate.median / 1e6:8.2f} million a second ({spread}), {rate.median / slow:6.0f} x Python")
    if options.peers and missing():
        print(f"left out: gymnax ({missing()})")


COMMAND = Command("speed-games", SpeedGamesOptions, run, "env steps a second of the games, beside other libraries'")
