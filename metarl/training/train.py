"""Meta-training into a run directory: the loop of updates, evaluations and checkpoints around any learner."""

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

VALID_TASKS = 32  # tasks of an evaluation during training
MAY_CHANGE = ("steps", "processes", "threads")  # keys of the config that may differ when a run is resumed


def train(
    agent_type: AgentType,
    distribution: TaskDistribution,
    settings: Any,
    options: TrainOptions,
    sources: Mapping[str, str | None],
) -> Run:
    """Train an agent of `agent_type` on `distribution` and return the finished run.

    sources: "agent" and "distribution" -> file.py:Name or module:Name of user code, else None. They go into the config.
    """
    if agent_type.learner is None:
        raise MetarlError(
            f"the agent {agent_type.name!r} has nothing to train: give it to `metarl evaluate` as --against"
        )
    path = run_path(agent_type, distribution, options)
    device = pick_device(options.device, distribution)
    distribution.validate()
    cure = "free some space or give another --run-dir; all saved files of a run are kept"
    with writing(path, cure), distributed.process_group(device), cuda_graphs.enabled(options.cuda_graphs):
        resumed = _run_to_resume(path) if options.resume else None
        with threads.using(options.threads or _threads_of(resumed)):
            config = make_config(agent_type, distribution, settings, options, device, sources)
            if resumed:
                _check_unchanged(resumed, config)
            learner = agent_type.learner(distribution, settings, options.seed, device)
            if distributed.size() > 1 and not learner.data_parallel:
                raise MetarlError(f"the agent {agent_type.name!r} learns in one process: start it without torchrun")
            if (free := _free(options, device)) is not None:
                learner.check_memory(free)
            state = resumed.load_checkpoint(device) if resumed and resumed.has_checkpoint else {}
            if state:
                _restore(learner, state, path)
            if distributed.rank() > 0:
                _train_without_files(learner, options)
                return Run(path)
            run = resumed or Run.create(path, config)  # last, so that an error before training leaves no directory
            if changed := {key: config[key] for key in MAY_CHANGE if run.config.get(key) != config[key]}:
                run.write_config({**run.config, **changed})
            _train_with_files(run, learner, agent_type, distribution, options, state, device)
    return run


def _free(options: TrainOptions, device: str) -> int | None:
    """Return the bytes that an update of this process may take; None if unknown."""
    if options.memory_gib is None:
        return free_memory.free(device)
    return int(options.memory_gib * free_memory.GIB / distributed.size())


def run_path(agent_type: AgentType, distribution: TaskDistribution, options: TrainOptions) -> Path:
    """Return the directory of the run."""
    return Path(options.run_dir or f"runs/{agent_type.name}-{distribution.name}-{options.seed}")


def _run_to_resume(path: Path) -> Run | None:
    """Return the existing run, or None. Raise MetarlError if only some of the processes find it."""
    exists = (path / CONFIG).exists()
    if (count := distributed.total(exists)) not in (0, distributed.size()):
        raise MetarlError(
            f"{count} of {distributed.size()} processes find the run in {path}: give a --run-dir on a file system that "
            "all of them share"
        )
    return Run.open(path) if exists else None


def _threads_of(resumed: Run | None) -> int | None:
    """Return the number of threads that the run was trained with, if the number of processes is the same."""
    if resumed is None or resumed.config.get("processes", 1) != distributed.size():
        return None
    return resumed.config.get("threads")


def _more_updates(learner: Learner, options: TrainOptions, stop: list[int]) -> bool:
    """Return whether another update follows. All processes stop if one of them received a signal."""
    return learner.env_steps < options.steps and not distributed.total(bool(stop))


def _train_without_files(learner: Learner, options: TrainOptions) -> None:
    """Run the updates of a process that writes no files."""
    with stop_signal(lambda _: None) as stop:
        while _more_updates(learner, options, stop):
            learner.update()


def _train_with_files(
    run: Run, learner: Learner, agent_type: AgentType, distribution: TaskDistribution, options: TrainOptions,
    state: Mapping[str, Any], device: str,
) -> None:  # fmt: skip
    """Run the updates of the first process, which also logs, evaluates and saves checkpoints.

    Raises Interrupted, with everything saved, if a signal stopped the run before its last step.
    """
    earlier_seconds, start_time = state.get("seconds", 0.0), time.perf_counter()
    updates = state.get("updates", 0)
    next_checkpoint = _next_multiple(learner.env_steps, options.checkpoint_every)
    next_evaluation = _next_multiple(learner.env_steps, options.evaluate_every) if options.evaluate_every else None
    valid = ValidEvaluation(learner, agent_type, distribution, device)

    def seconds() -> float:
        return earlier_seconds + time.perf_counter() - start_time

    def checkpoint() -> None:
        run.save_checkpoint({
            "learner": learner.state_dict(), "updates": updates, "seconds": seconds(),
            "metrics_bytes": metrics.sync(), "times_bytes": times.sync(),
        })  # fmt: skip

    with ExitStack() as stack:
        metrics = stack.enter_context(closing(Table(run.path / METRICS, state.get("metrics_bytes", 0))))
        times = stack.enter_context(closing(Table(run.path / TIMES, state.get("times_bytes", 0))))
        events = stack.enter_context(closing(_events(run.path, learner.env_steps)))
        progress = stack.enter_context(Progress(agent_type.name, distribution.name, learner.env_steps, options.steps))
        stop = stack.enter_context(stop_signal(progress.print))
        if line := devices.explain(options.device, distribution):
            progress.print(line)
        while _more_updates(learner, options, stop):
            row: dict[str, float | int | None] = {"update": updates, "env_steps": 0, **learner.update()}
            updates += 1
            row["env_steps"] = learner.env_steps
            due = next_evaluation is not None and learner.env_steps >= next_evaluation
            row |= valid.evaluate() if due else valid.empty()
            if due:
                next_evaluation = _next_multiple(learner.env_steps, options.evaluate_every)
            metrics.append(row)
            times.append({"env_steps": learner.env_steps, "seconds": round(seconds(), 3)})
            for name, value in row.items():
                if value is not None and name not in ("update", "env_steps"):
                    events.add_scalar(f"train/{name}", value, learner.env_steps)
            progress.show(row, valid.last)
            if learner.env_steps >= next_checkpoint:
                checkpoint()
                next_checkpoint = _next_multiple(learner.env_steps, options.checkpoint_every)
        checkpoint()
    if learner.env_steps < options.steps:
        raise Interrupted(
            f"stopped at {learner.env_steps:,} of {options.steps:,} env steps; all is saved in {run.path}: "
            "the same command with --resume continues"
        )


class Interrupted(MetarlError):
    """Raised if a signal stopped the run before its last step. Everything is saved."""

    exit_status = 130


class ValidEvaluation:
    """Evaluations during training of the deterministic agent, on fixed tasks of the valid split.

    A distribution without a valid split is evaluated on tasks of its train split.
    """

    def __init__(self, learner: Learner, agent_type: AgentType, distribution: TaskDistribution, device: str) -> None:
        self.learner = learner
        self.split = "valid" if "valid" in distribution.splits else "train"
        self.tasks = distribution.tasks(self.split, VALID_TASKS, seed=0)
        self._make = lambda: distribution.make(VALID_TASKS, device, task_visible=agent_type.task_visible)
        self._env = None
        self.last: dict[str, float | int | None] = self.empty()

    def evaluate(self) -> dict[str, float | int | None]:
        """Return the mean returns of the first and of the last episode."""
        self._env = self._env or self._make()
        returns = evaluate_agent(self.learner.agent(), self._env, self.tasks).by_episode()
        self.last = {f"{self.split}_first": float(returns[0]), f"{self.split}_last": float(returns[-1])}
        return self.last

    def empty(self) -> dict[str, float | int | None]:
        """Return the metrics of an update without an evaluation."""
        return {f"{self.split}_first": None, f"{self.split}_last": None}


def make_config(
    agent_type: AgentType, distribution: TaskDistribution, settings: Any, options: TrainOptions, device: str,
    sources: Mapping[str, str | None],
) -> dict[str, Any]:  # fmt: skip
    """Return the config of a run: everything that its results depend on, with versions of packages."""
    import gymnasium
    import mujoco

    return {
        "metarl": __version__,
        "agent": {"name": agent_type.name, "source": sources.get("agent"), "settings": asdict(settings)},
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
    """Return the distribution as data; only its name and version if a sampler is a function and its source is known."""
    try:
        return distribution.to_json()
    except MetarlError:
        registered = distribution.name in registry.names("distribution")
        if source is None and not (registered and registry.find("distribution", distribution.name) is distribution):
            raise
        return {"name": distribution.name, "version": distribution.version}


def _check_unchanged(run: Run, config: Mapping[str, Any]) -> None:
    """Raise MetarlError unless the run was started with this config, except for steps and processes."""
    old, new = run.config, json.loads(json.dumps(config))
    threads = ("threads",) if old.get("processes", 1) == new["processes"] else ()
    for key in ("distribution", "agent", "seed", "device", *threads, "evaluate_every"):
        _check_equal(run.path, key, old.get(key), new[key])


def _restore(learner: Learner, state: Mapping[str, Any], path: Path) -> None:
    try:
        learner.load_state_dict(state["learner"])
    except (AttributeError, KeyError, RuntimeError, ValueError, TypeError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise MetarlError(
            f"the checkpoint in {path} does not fit this agent and its settings ({reason}): restore it from a copy, or "
            "delete it and --resume to train again from the start"
        ) from error


def _check_equal(path: Path, key: str, old: Any, new: Any) -> None:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for part in {**old, **new}:
            _check_equal(path, f"{key} {part}".removeprefix("agent settings "), old.get(part), new.get(part))
    elif old != new:
        raise MetarlError(f"the run in {path} has {key} {old!r}, not {new!r}: give the same, or another --run-dir")


@contextmanager
def stop_signal(report: Callable[[str], None]) -> Iterator[list[int]]:
    """Within, the first Ctrl-C or SIGTERM adds to the list that is yielded, and the second raises KeyboardInterrupt.

    The training loop tests the list after each update, so that the current update is finished and saved.
    """
    stop: list[int] = []

    def handle(number: int, _: Any) -> None:
        if stop:
            raise KeyboardInterrupt
        stop.append(number)
        report("stopping: this update is finished, then all is saved (again to stop at once, without saving)")

    try:
        old = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread, where signals cannot be handled
        old = {}
    try:
        yield stop
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _next_multiple(steps: int, every: int) -> int:
    """Return the first multiple of `every` above `steps`."""
    return (steps // every + 1) * every


def _events(path: Path, env_steps: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    # TensorBoard hides events from purge_step on, which a killed run wrote after its last checkpoint.
    return SummaryWriter(str(path), purge_step=env_steps + 1)
