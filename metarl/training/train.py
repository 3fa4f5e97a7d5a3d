"""Meta-training into a run directory: the loop around any learner."""

from __future__ import annotations

import json
import platform
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from metarl import registry
from metarl.core.agent import AgentType, Learner
from metarl.errors import MetarlError
from metarl.runtime import cuda_graphs, devices, distributed, free_memory, threads
from metarl.runtime.devices import pick_device
from metarl.tasks.task_distribution import TaskDistribution
from metarl.training.evaluate import evaluate_agent
from metarl.training.options import TrainOptions
from metarl.training.progress import Progress
from metarl.training.run_dir import CONFIG, METRICS, TIMES, Run, Table, writing
from metarl.version import __version__

VALID_TASKS = 32  # tasks of an evaluation on the way
MAY_CHANGE = ("steps", "processes", "threads")  # when a run is resumed


def train(
    agent: AgentType,
    distribution: TaskDistribution,
    settings: Any,
    options: TrainOptions,
    sources: Mapping[str, str | None],
) -> Run:
    """Train `agent` on `distribution`; the finished run. `sources`: where a stranger's agent and distribution live."""
    if agent.learner is None:
        raise MetarlError(f"the agent {agent.name!r} has nothing to train: give it to `metarl evaluate` as --against")
    path = run_path(agent, distribution, options)
    device = pick_device(options.device, distribution)
    distribution.validate()
    cure = "free some space or give another --run-dir; what a run has saved is kept"
    with writing(path, cure), distributed.process_group(device), cuda_graphs.enabled(options.cuda_graphs):
        resumed = _resumed(path) if options.resume else None
        with threads.using(options.threads or _threads_of(resumed)):
            config = describe(agent, distribution, settings, options, device, sources)
            if resumed:
                _check_as_it_began(resumed, config)
            learner = agent.learner(distribution, settings, options.seed, device)
            if distributed.size() > 1 and not learner.data_parallel:
                raise MetarlError(f"the agent {agent.name!r} learns in one process: start it without torchrun")
            if (free := _free(options, device)) is not None:
                learner.check_memory(free)
            state = resumed.load_checkpoint(device) if resumed and resumed.has_checkpoint else {}
            if state:
                _restore(learner, state, path)
            if distributed.rank() > 0:
                _follow(learner, options)
                return Run(path)
            run = resumed or Run.create(path, config)  # last, so that what cannot begin leaves nothing behind
            if changed := {key: config[key] for key in MAY_CHANGE if run.config.get(key) != config[key]}:
                run.write_config({**run.config, **changed})
            _loop(run, learner, agent, distribution, options, state, device)
    return run


def _free(options: TrainOptions, device: str) -> int | None:
    """Bytes an update of this process may take; None if unknown."""
    if options.memory_gib is None:
        return free_memory.free(device)
    return int(options.memory_gib * free_memory.GIB / distributed.size())


def run_path(agent: AgentType, distribution: TaskDistribution, options: TrainOptions) -> Path:
    """Where the run is kept."""
    return Path(options.run_dir or f"runs/{agent.name}-{distribution.name}-{options.seed}")


def _resumed(path: Path) -> Run | None:
    """The run to go on with, if there is one; the same for all processes."""
    exists = (path / CONFIG).exists()
    if (seen := distributed.total(exists)) not in (0, distributed.size()):
        raise MetarlError(
            f"{seen} of {distributed.size()} processes find the run in {path}: give a --run-dir on a file system that all "
            "of them share"
        )
    return Run.open(path) if exists else None


def _threads_of(resumed: Run | None) -> int | None:
    """Those that a run was trained with, if it is by as many processes as now."""
    if resumed is None or resumed.config.get("processes", 1) != distributed.size():
        return None
    return resumed.config.get("threads")


def _goes_on(learner: Learner, options: TrainOptions, stop: list[int]) -> bool:
    """Whether there is another update; all processes agree, whichever of them was told to stop."""
    return learner.env_steps < options.steps and not distributed.total(bool(stop))


def _follow(learner: Learner, options: TrainOptions) -> None:
    """What the processes do that write no files: learn along."""
    with stop_signal(lambda _: None) as stop:
        while _goes_on(learner, options, stop):
            learner.update()


def _loop(
    run: Run, learner: Learner, agent: AgentType, distribution: TaskDistribution, options: TrainOptions,
    state: Mapping[str, Any], device: str,
) -> None:  # fmt: skip
    """Update, log, now and then evaluate and checkpoint, until the steps are done or the user has had enough."""
    before, began = state.get("seconds", 0.0), time.perf_counter()
    updates = state.get("updates", 0)
    next_checkpoint = _next(learner.env_steps, options.checkpoint_every)
    next_evaluation = _next(learner.env_steps, options.evaluate_every) if options.evaluate_every else None
    valid = ValidPlay(learner, agent, distribution, device)

    def checkpoint() -> None:
        run.save_checkpoint({
            "learner": learner.state_dict(), "updates": updates, "seconds": before + time.perf_counter() - began,
            "metrics_bytes": metrics.sync(), "times_bytes": times.sync(),
        })  # fmt: skip

    with ExitStack() as stack:
        metrics = stack.enter_context(closing(Table(run.path / METRICS, state.get("metrics_bytes", 0))))
        times = stack.enter_context(closing(Table(run.path / TIMES, state.get("times_bytes", 0))))
        events = stack.enter_context(closing(_events(run.path, learner.env_steps)))
        progress = stack.enter_context(Progress(agent.name, distribution.name, learner.env_steps, options.steps))
        stop = stack.enter_context(stop_signal(progress.say))
        if line := devices.explain(options.device, distribution):
            progress.say(line)
        while _goes_on(learner, options, stop):
            row: dict[str, float | int | None] = {"update": updates, "env_steps": 0, **learner.update()}
            updates += 1
            row["env_steps"] = learner.env_steps
            due = next_evaluation is not None and learner.env_steps >= next_evaluation
            row |= valid.play() if due else valid.nothing()
            if due:
                next_evaluation = _next(learner.env_steps, options.evaluate_every)
            seconds = before + time.perf_counter() - began
            metrics.append(row)
            times.append({"env_steps": learner.env_steps, "seconds": round(seconds, 3)})
            for name, value in row.items():
                if value is not None and name not in ("update", "env_steps"):
                    events.add_scalar(f"train/{name}", value, learner.env_steps)
            progress.show(row, valid.last)
            if learner.env_steps >= next_checkpoint:
                checkpoint()
                next_checkpoint = _next(learner.env_steps, options.checkpoint_every)
        checkpoint()
    if learner.env_steps < options.steps:
        raise Interrupted(
            f"stopped at {learner.env_steps:,} of {options.steps:,} env steps; all is saved in {run.path}: "
            "the same command with --resume continues"
        )


class Interrupted(MetarlError):
    """The user asked to stop; everything is saved."""

    exit_status = 130


class ValidPlay:
    """Evaluations on the way: the mean agent on fixed held-out tasks, on training tasks where there are no others."""

    def __init__(self, learner: Learner, agent: AgentType, distribution: TaskDistribution, device: str) -> None:
        self.learner = learner
        self.split = "valid" if "valid" in distribution.splits else "train"
        self.tasks = distribution.tasks(self.split, VALID_TASKS, seed=0)
        self._make = lambda: distribution.make(VALID_TASKS, device, task_visible=agent.task_visible)
        self._env = None
        self.last: dict[str, float | int | None] = self.nothing()

    def play(self) -> dict[str, float | int | None]:
        """Mean return of the first and of the last episode."""
        self._env = self._env or self._make()
        returns = evaluate_agent(self.learner.agent(), self._env, self.tasks).by_episode()
        self.last = {f"{self.split}_first": float(returns[0]), f"{self.split}_last": float(returns[-1])}
        return self.last

    def nothing(self) -> dict[str, float | int | None]:
        return {f"{self.split}_first": None, f"{self.split}_last": None}


def describe(
    agent: AgentType, distribution: TaskDistribution, settings: Any, options: TrainOptions, device: str,
    sources: Mapping[str, str | None],
) -> dict[str, Any]:  # fmt: skip
    """The run's config: everything that made it, and the versions it was made with."""
    import gymnasium
    import mujoco

    return {
        "metarl": __version__,
        "agent": {"name": agent.name, "source": sources.get("agent"), "settings": asdict(settings)},
        "distribution": {"source": sources.get("distribution"), **_data(distribution, sources.get("distribution"))},
        "seed": options.seed, "steps": options.steps, "device": device,
        "processes": distributed.size(), "threads": threads.physics_threads(), "evaluate_every": options.evaluate_every,
        "world": dict(distribution.simulated_world.fingerprint(device)),
        "versions": {
            "python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__,
            "gymnasium": gymnasium.__version__, "mujoco": mujoco.__version__,
        },
    }  # fmt: skip


def _data(distribution: TaskDistribution, source: str | None) -> dict[str, Any]:
    """The distribution as data; by name alone where a sampler is code and its source is known."""
    try:
        return distribution.to_json()
    except MetarlError:
        named = distribution.name in registry.names("distribution")
        if source is None and not (named and registry.find("distribution", distribution.name) is distribution):
            raise
        return {"name": distribution.name, "version": distribution.version}


def _check_as_it_began(run: Run, config: Mapping[str, Any]) -> None:
    """MetarlError unless the run was started with this config; how far it goes and in how many processes may change."""
    was, now = run.config, json.loads(json.dumps(config))
    threads = ("threads",) if was.get("processes", 1) == now["processes"] else ()
    for key in ("distribution", "agent", "seed", "device", *threads, "evaluate_every"):
        _same(run.path, key, was.get(key), now[key])


def _restore(learner: Learner, state: Mapping[str, Any], path: Path) -> None:
    try:
        learner.load_state_dict(state["learner"])
    except (AttributeError, KeyError, RuntimeError, ValueError, TypeError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise MetarlError(
            f"the checkpoint in {path} does not fit this agent and its settings ({reason}): restore it from a copy, or "
            "delete it and --resume to train again from the start"
        ) from error


def _same(path: Path, key: str, was: Any, now: Any) -> None:
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for part in {**was, **now}:
            _same(path, f"{key} {part}".removeprefix("agent settings "), was.get(part), now.get(part))
    elif was != now:
        raise MetarlError(f"the run in {path} has {key} {was!r}, not {now!r}: give the same, or another --run-dir")


@contextmanager
def stop_signal(say: Callable[[str], None]) -> Iterator[list[int]]:
    """A list that Ctrl-C or SIGTERM makes true, so that the update in hand is finished; a second one ends at once."""
    stop: list[int] = []

    def handle(number: int, _: Any) -> None:
        if stop:
            raise KeyboardInterrupt
        stop.append(number)
        say("stopping: this update is finished, then all is saved (once more to stop at once)")

    try:
        old = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: whoever owns it handles signals
        old = {}
    try:
        yield stop
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _next(steps: int, every: int) -> int:
    """The first multiple of `every` above `steps`."""
    return (steps // every + 1) * every


def _events(path: Path, env_steps: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    # Events from purge_step on are hidden: those that a kill made newer than the checkpoint.
    return SummaryWriter(str(path), purge_step=env_steps + 1)
