"""`python -m metarl.benchmarks.dev_speed games`: env steps per second of the games, beside other libraries' games.

Every environment takes random actions in whole trials; drawing tasks and resetting are timed. In games whose episodes
may end early, each environment restarts at once, so that none rests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import tyro

from metarl import registry
from metarl.checks import check_number, check_whole
from metarl.errors import MetarlError

if TYPE_CHECKING:
    from metarl.benchmarks.dev_speed.side import Side

DEFAULT = ("GridNavi", "DarkRoom", "Bandit5N100", "MDPN25")


@dataclass(frozen=True)
class GameSpeedOptions:
    """Env steps per second of games with random actions, beside plain Python and gymnax."""

    distributions: tyro.conf.Positional[tuple[str, ...]] = DEFAULT
    """the games to measure: names, path/to/file.py:Name or package.module:Name"""
    num_envs: int = 4096
    """environments in all processes, of this package and of gymnax"""
    gymnasium_envs: int = 16
    """environments in each process of Gymnasium's SyncVectorEnv of GridNavi in plain Python"""
    peers: bool = True
    """also measure gymnax's games, where it is installed"""
    rounds: int = 5
    """measurements of each side; sides take turns"""
    seconds: float = 2.0
    """shortest time for which a side is measured in a round (s)"""
    processes: int | None = None
    """processes of one thread each, among which the environments are divided; one per core by default"""

    def __post_init__(self) -> None:
        check_whole(self, "num_envs", "gymnasium_envs", "rounds", low=1)
        check_number(self, "seconds", low=0.0)
        if self.processes is not None:
            check_whole(self, "processes", low=1)
        if self.num_envs % self.num_processes:
            raise MetarlError(f"num_envs {self.num_envs} must be a multiple of the processes, {self.num_processes}")

    @property
    def num_processes(self) -> int:
        """The number of processes."""
        from metarl.runtime import threads

        return self.processes or threads.available()

    @property
    def baseline(self) -> str:
        """The side with which all others are compared."""
        return f"GridNavi in Python, SyncVectorEnv({self.gymnasium_envs})"


def open_sides(options: GameSpeedOptions) -> Mapping[str, Side]:
    """Return the sides of one of the processes, by name."""
    from metarl.benchmarks.dev_speed.gymnax_games import gymnax_games
    from metarl.benchmarks.dev_speed.plain_grid import plain_grid
    from metarl.benchmarks.dev_speed.tensor_env import busy_tensor_env

    num_envs = options.num_envs // options.num_processes
    ours = {n: busy_tensor_env(registry.find("distribution", n), num_envs) for n in options.distributions}
    peers = gymnax_games(num_envs) if options.peers else {}
    return {**ours, **peers, options.baseline: plain_grid(options.gymnasium_envs)}


def run(options: GameSpeedOptions) -> None:
    """Measure in turns and print one line per side."""
    from metarl.benchmarks.dev_speed.gymnax_games import missing
    from metarl.benchmarks.dev_speed.processes import measure_in_processes
    from metarl.runtime.timing import summarize

    processes = options.num_processes
    samples = measure_in_processes(partial(open_sides, options), processes, options.rounds, options.seconds)
    baseline = summarize(samples[options.baseline]).median
    print(f"{options.num_envs} environments in {processes} processes, one thread each")
    for name in samples:
        rate = summarize(samples[name])
        spread, ratio = f"{rate.low / 1e6:.2f} to {rate.high / 1e6:.2f}", rate.median / baseline
        print(f"{name:40s} {rate.median / 1e6:8.2f} million a second ({spread}), {ratio:6.0f} x Python")
    if options.peers and missing():
        print(f"left out: gymnax ({missing()})")
