"""`metarl demo`: train RL² on PointGoalSparse in about five minutes, and evaluate it on unseen tasks."""

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
    """Train RL² to search for a hidden goal, and evaluate it on goals that it was not trained on."""

    run_dir: str = "runs/demo"
    """run directory; an interrupted run is continued"""
    steps: int = STEPS
    """env steps of training"""
    seed: int = 0
    """seed of the training"""


def demo(options: DemoOptions) -> None:
    """Train, evaluate, and print the returns with the path of the picture."""
    from metarl.cli.train import main as train  # imports torch, which `metarl --help` does without

    console = Console()
    console.print(
        "A point robot searches for a hidden goal on a half circle of radius 1 m. It is rewarded only within 20 cm of\n"
        f"the goal, and has three episodes of 2 s in each trial. {AGENT} is trained on some goals to search for the\n"
        "goal, to remember it and to return to it. It is then evaluated on other goals.\n",
        soft_wrap=True,
    )
    run = options.run_dir
    steps, seed = str(options.steps), str(options.seed)
    train([AGENT, DISTRIBUTION, "--steps", steps, "--seed", seed, "--run-dir", run, "--resume"])  # on all cores
    results = api.evaluate(run, "test", tasks=64, replicates=4, against=("wiped", "random"))
    print_returns(results, console)
    result = results["test"][AGENT]
    first, last = result.by_episode()[[0, -1]]
    console.print(
        f"On {len(result.tasks)} goals that it was not trained on, its mean return is {first:.1f} in the first episode "
        f"and {last:.1f} in the last.\nPicture: {Path(run) / PICTURE}",
        soft_wrap=True,
    )


COMMAND = Command("demo", DemoOptions, demo, "train RL² for minutes, and evaluate how it adapts to unseen tasks")
