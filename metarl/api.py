"""The same work as the command line, in one call each: register, get, train, evaluate, load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metarl import registry
from metarl.distribution import TaskDistribution
from metarl.errors import MetarlError, unknown
from metarl.faces.registration import register_ids

if TYPE_CHECKING:
    from metarl.agent import Agent, AgentType
    from metarl.evaluation import Lifetimes


def register(thing: Any) -> Any:
    """Make a task distribution, world, goal, perturbation or agent known by its name; returns it.

    A distribution is checked against its world, and gets the Gymnasium id `metarl/<name>-v<version>` in this process.
    """
    if isinstance(thing, TaskDistribution):
        thing.validate()
    registry.add(thing)
    if isinstance(thing, TaskDistribution):
        register_ids(thing)
    return thing


def get(name: str) -> TaskDistribution:
    """A distribution by name, `path/to/file.py:Name` or `package.module:Name`."""
    distribution: TaskDistribution = registry.find("distribution", name)
    return distribution


def train(
    agent: str | AgentType,
    distribution: str | TaskDistribution,
    *,
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> Path:
    """Meta-train; the run directory. `options` are TrainOptions' fields (steps, seed, run_dir, resume, ...).

    Settings not given are those tuned for the distribution, else the agent's defaults.
    """
    from metarl.training import TrainOptions
    from metarl.training import train as run_training

    kind: AgentType = registry.find("agent", agent) if isinstance(agent, str) else agent
    family = get(distribution) if isinstance(distribution, str) else distribution
    for thing, is_a in ((kind, "agent"), (family, "distribution")):
        if getattr(thing, "kind", None) != is_a:
            raise MetarlError(f"give the {is_a} or its name, not {thing!r}")
    if options.get("processes") not in (None, 1):
        raise MetarlError("metarl.train works in this process: start your script with torchrun to have several")
    known = [field.name for field in fields(TrainOptions)]
    for name in options:
        if name not in known:
            raise unknown("option of train (the agent's own go into settings={...})", name, known)
    sources = {"agent": source(agent), "distribution": source(distribution)}
    chosen = make_settings(kind, family, settings or {})
    return run_training(kind, family, chosen, TrainOptions(**options), sources).path


def make_settings(kind: AgentType, distribution: TaskDistribution, given: Mapping[str, Any]) -> Any:
    """The agent's settings for this distribution: defaults, then what is tuned, then what is given."""
    known = [field.name for field in fields(kind.settings)]
    for name in given:
        refuse_declined(kind, name)
        if name not in known:
            raise unknown(f"setting of {kind.name}", name, known)
    return kind.settings(**{**kind.tuned.get(distribution.name, {}), **given})


def refuse_declined(kind: AgentType, name: str) -> None:
    """MetarlError where the agent has reasons not to have this setting."""
    if name in kind.declined:
        raise MetarlError(f"the agent {kind.name!r} has no setting {name}: {kind.declined[name]}")


def load(run_dir: str | Path, deterministic: bool = True, **changed: Any) -> Agent:
    """The agent a run has trained, ready to act and adapt in any environment of its shape.

    changed: settings of its own that it is to live by, such as wipe_memory=True (RL²) or trial_shots=20 (MAML).
    """
    from metarl.loading import LoadedRun

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
) -> dict[str, dict[str, Lifetimes]]:
    """Play frozen tasks of a split (of every split but train when None); {split: {agent: Lifetimes}}.

    Leaves eval.npz and adaptation.png in the run directory, or in `out`. against: a control of this agent ("wiped": its
    memory wiped at each episode; "unadapted": no gradient steps), names of agents that need no training ("random"), or
    other run directories. episodes: of a trial, by default the distribution's. settings: of the agent's own, that it
    and its controls are to live by.
    """
    from metarl.loading import LoadedRun, evaluate_run

    return evaluate_run(
        LoadedRun(run_dir), split, tasks, replicates, against, deterministic, out, episodes, settings or {}
    )


def source(reference: Any) -> str | None:
    """Where a stranger's thing is found again: file.py:Name with an absolute path, or module:Name; None if by name."""
    if isinstance(reference, str):
        if ":" not in reference:
            return None
        location, _, name = reference.rpartition(":")
        return f"{Path(location).resolve()}:{name}" if location.endswith(".py") else reference
    return None


def with_settings(kind: AgentType, settings: Any, **changes: Any) -> Any:
    """A trained agent's settings with some changed; MetarlError for one it has not, or that only training heeds."""
    known = [field.name for field in fields(settings)]
    free = known if kind.lived_by is None else kind.lived_by(settings)
    for name in changes:
        if name not in known:
            raise unknown(f"setting of {kind.name}", name, known)
        if name not in free:
            raise MetarlError(
                f"{name} cannot be changed in an agent that {kind.name} has trained: train anew with another; "
                f"what can be changed: {', '.join(free)}"
            )
    return replace(settings, **changes)
