"""`metarl demo`: in about five minutes, a robot that learns to learn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from metarl import api
from metarl.cli.command import Command
from metarl.cli.evaluate import print_returns
from metarl.training.run_dir import PICTURE

AGENT, DISTRIBUTION, STEPS = "rl2", "PointGoalSparse", 3_000_000


@dataclass(frozen=True)
class DemoOptions:
    """Train RL² to search for a hidden place, then watch it find places it never trained on."""

    run_dir: str = "runs/demo"
    """where the run is kept; a run that was interrupted is continued"""
    steps: int = STEPS
    """env steps of training"""
    seed: int = 0
    """of everything"""


def demo(options: DemoOptions) -> None:
    from metarl.cli.train import main as train  # here: it imports torch, which `metarl --help` does without

    console = Console()
    console.print(
        "A ball on a plane must find a place that it cannot see, and feels only within 20 cm of it: somewhere\n"
        "on a half circle of radius 1 m. It has three episodes of 2 s. Nobody tells it how to search, to remember,\n"
        f"or to go back: that is what {AGENT} is about to learn, on some places; it is tested on others.\n",
        soft_wrap=True,
    )
    run = options.run_dir
    steps, seed = str(options.steps), str(options.seed)
    train([AGENT, DISTRIBUTION, "--steps", steps, "--seed", seed, "--run-dir", run, "--resume"])  # on all cores
    results = api.evaluate(run, "test", tasks=64, replicates=4, against=("wiped", "random"))
    print_returns(results, console)
    lives = results["test"][AGENT]
    first, last = lives.by_episode()[[0, -1]]
    console.print(
        f"On {len(lives.tasks)} places it never trained on it earned {first:.1f} in the first episode and "
        f"{last:.1f} in the last: what it found, it went back to.\nThe picture: {Path(run) / PICTURE}",
        soft_wrap=True,
    )


COMMAND = Command("demo", DemoOptions, demo, "train RL² for minutes and see it adapt to tasks it has never seen")
