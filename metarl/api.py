"""The command line's work as function calls: register, get, train, load, evaluate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metarl import registry
from metarl.errors import MetarlError, unknown
from metarl.tasks.task_distribution import TaskDistribution

if TYPE_CHECKING:
    from metarl.core.agent import Agent, AgentType
    from metarl.training.evaluate import EvalResult


def register(thing: Any) -> Any:
    """Register a task distribution, world, goal, perturbation or agent under its name; returns it.

    A distribution is checked against its world, and gets the Gymnasium id `metarl/<name>-v<version>` in this process.
    """
    if isinstance(thing, TaskDistribution):
        thing.validate()
    registry.add(thing)
    return thing


def get(name: str) -> TaskDistribution:
    """Return a distribution by name, `path/to/file.py:Name` or `package.module:Name`."""
    distribution: TaskDistribution = registry.find("distribution", name)
    return distribution


def train(
    agent: str | AgentType,
    distribution: str | TaskDistribution,
    *,
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> Path:
    """Meta-train an agent on a distribution; returns the run directory.

    options: the fields of TrainOptions (steps, seed, run_dir, resume, ...). Settings that are not given have the values
    tuned for the distribution, else the agent's defaults.
    """
    from metarl.training.options import TrainOptions
    from metarl.training.train import train as train_run

    agent_type: AgentType = registry.find("agent", agent) if isinstance(agent, str) else agent
    found = get(distribution) if isinstance(distribution, str) else distribution
    for thing, kind in ((agent_type, "agent"), (found, "distribution")):
        if getattr(thing, "kind", None) != kind:
            raise MetarlError(f"give the {kind} or its name, not {thing!r}")
    if options.get("processes") not in (None, 1):
        raise MetarlError("metarl.train works in this process: start your script with torchrun to have several")
    known = [field.name for field in fields(TrainOptions)]
    for name in options:
        if name not in known:
            raise unknown("option of train (the agent's own go into settings={...})", name, known)
    sources = {"agent": registry.source(agent), "distribution": registry.source(distribution)}
    chosen = agent_type.make_settings(found, settings or {})
    return train_run(agent_type, found, chosen, TrainOptions(**options), sources).path


def load(run_dir: str | Path, deterministic: bool = True, **changed: Any) -> Agent:
    """Return the agent that a run has trained, ready to act and adapt in any environment with its spaces.

    changed: settings of the agent to change, such as wipe_memory=True (RL²) or trial_shots=20 (MAML).
    """
    from metarl.training.load_agent import LoadedRun

    return LoadedRun(run_dir).agent(deterministic, **changed)


def evaluate(
    run_dir: str | Path,
    split: str | None = None,
    tasks: int = 64,
    replicates: int = 2,
    against: str | Sequence[str] = (),
    deterministic: bool = True,
    out: str | Path | None = None,
    episodes: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> dict[str, dict[str, EvalResult]]:
    """Evaluate a trained agent on frozen tasks of a split; returns {split: {agent: EvalResult}}.

    Writes eval.npz and adaptation.png into the run directory, or into `out`.

    split: every split but train when None. against: controls of this agent ("wiped": its memory wiped at each episode;
    "unadapted": no gradient steps), names of agents that are not trained ("random"), or other run directories.
    episodes: of a trial; by default the distribution's. settings: settings of the agent to change, for its controls
    too.
    """
    from metarl.training.evaluate_run import evaluate_run
    from metarl.training.load_agent import LoadedRun

    return evaluate_run(
        LoadedRun(run_dir), split, tasks, replicates, against, deterministic, out, episodes, settings or {}
    )
