"""`metarl train AGENT DISTRIBUTION`."""

from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass
from typing import Any

import tyro

from metarl import api, registry
from metarl.cli import tyro_config
from metarl.distribution import TaskDistribution
from metarl.training import TrainOptions, train


@dataclass(frozen=True)
class Who:
    """What to train on what."""

    agent: tyro.conf.Positional[str]
    """a name from `metarl list`, path/to/file.py:Name or package.module:Name"""
    distribution: tyro.conf.Positional[str]
    """likewise"""


def main(arguments: list[str]) -> None:
    """Train; the agent's own settings are options, with those tuned for the distribution as defaults."""
    names = [a for a in arguments[:2] if not a.startswith("-")]
    if len(names) < 2:  # without an agent there are no settings to show
        tyro.cli(_options(TrainOptions), args=arguments, prog="metarl train", description=_ABOUT, config=tyro_config())
        return
    kind = registry.find("agent", names[0])
    distribution: TaskDistribution = registry.find("distribution", names[1])
    defaults = api.make_settings(kind, distribution, {})
    options = tyro.cli(
        _options(TrainOptions, kind.settings, defaults), args=arguments, prog="metarl train", description=_ABOUT,
        config=tyro_config(),
    )  # fmt: skip
    sources = {"agent": api.source(names[0]), "distribution": api.source(names[1])}
    run = train(kind, distribution, options.settings, options.run, sources)
    print(f"trained; the run is in {run.path}\nevaluate it on held-out tasks with: metarl evaluate {run.path}")


_ABOUT = (
    "Meta-train an agent on a task distribution into a run directory. The agent's own settings are shown once both "
    "are named: metarl train rl2 HalfCheetahVel --help"
)


def _options(run: type, settings: type | None = None, defaults: Any = None) -> type:
    parts: list[Any] = [("who", Who), ("run", run, field(default_factory=run))]
    if settings is not None:
        parts.append(("settings", settings, field(default=defaults)))
    return make_dataclass("Train", parts, frozen=True)
