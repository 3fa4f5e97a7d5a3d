"""`metarl speed`: env steps per second and peak memory of an environment and of training on this machine.

Training is measured first, then the environment, so that the peak memory is that of training alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from metarl import registry
from metarl.checks import check_number, check_whole
from metarl.cli.command import Command
from metarl.errors import MetarlError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from metarl.core.agent import AgentType
    from metarl.core.environment import Environment
    from metarl.runtime.timing import Sample
    from metarl.tasks.task_distribution import TaskDistribution

GIB = 2**30
MAX_ACTIONS = 64  # batches of random actions drawn in advance; a longer trial repeats them
WARM_UP = {"cpu": 1, "cuda": 3}  # unmeasured trials or updates; CUDA graphs are captured at the third call of a reset


@dataclass(frozen=True)
class SpeedOptions:
    """Measure env steps per second of a distribution and of training on it, and the peak memory of training."""

    distribution: tyro.conf.Positional[str] = "HalfCheetahVel"
    """a name, path/to/file.py:Name or package.module:Name"""
    agent: str = "rl2"
    """agent to train, named likewise, in one process and with the settings tuned for the distribution"""
    num_envs: int = 256
    """environments in a batch with random actions; training has the number of its settings"""
    device: str = "auto"
    """auto, cpu or cuda"""
    threads: int | None = None
    """CPU threads; all cores by default. On a machine that runs other programs fewer are faster"""
    rounds: int = 3
    """measurements of each rate"""
    seconds: float = 2.0
    """shortest time of a measurement (s); whole trials and updates are completed, so often longer"""
    json: Path | None = None
    """write machine, options and every sample to this file"""
    training: bool = True
    """measure training too; with --no-training the environment alone"""

    def __post_init__(self) -> None:
        check_whole(self, "num_envs", "rounds", low=1)
        check_number(self, "seconds", low=0.0)
        if self.threads is not None:
            check_whole(self, "threads", low=1)
        if self.device not in ("auto", "cpu", "cuda"):
            raise MetarlError(f"device must be auto, cpu or cuda, got {self.device!r}")


@dataclass(frozen=True)
class Measurement:
    """One row of the table: one sample per round of `num_envs` environments."""

    about: str
    num_envs: int | None  # None for an agent without such a setting
    samples: list[Sample]

    def to_json(self) -> dict[str, Any]:
        from metarl.runtime.timing import summarize

        rate = summarize(self.samples)
        rates = {"median": rate.median, "min": rate.low, "max": rate.high}
        return {"num_envs": self.num_envs, **rates, "samples": [asdict(sample) for sample in self.samples]}


class RandomTrials:
    """Whole trials of uniform random actions, each on new tasks; drawing tasks and resets are part of the work."""

    def __init__(self, distribution: TaskDistribution, num_envs: int, device: str = "cpu") -> None:
        self.distribution = distribution
        self.env = distribution.make(num_envs, device)
        self.actions = device_actions(self.env.environment, min(MAX_ACTIONS, self.env.horizon * self.env.episodes))
        self.trial = 0

    def work(self) -> int:
        """Run one trial and return its env steps; steps of resting environments are not counted."""
        import torch

        env, resting = self.env, []
        env.begin(self.distribution.tasks("train", env.num_envs, self.trial), self.trial)
        self.trial += 1
        while not env.done:
            resting.append(env.step(self.actions[len(resting) % len(self.actions)]).resting)
        synchronize(env.device)
        return len(resting) * env.num_envs - int(torch.stack(resting).sum())

    def close(self) -> None:
        """Release the simulation."""
        self.env.close()


def device_actions(env: Environment, count: int) -> list[Tensor]:
    """Return `count` batches of uniform actions [B, *action] on the environment's device."""
    import gymnasium as gym
    import torch

    space, device = env.action_space, env.device
    g = torch.Generator(device).manual_seed(0)
    shape = (count, env.num_envs, *(space.shape or ()))
    if isinstance(space, gym.spaces.Discrete):
        return list(torch.randint(int(space.n), shape, generator=g, device=device) + int(space.start))
    low, high = (torch.as_tensor(bound, device=device) for bound in (space.low, space.high))
    return list(torch.rand(shape, generator=g, device=device) * (high - low) + low)


def synchronize(device: torch.device) -> None:
    """Wait for all work of a GPU; on CPU there is none to wait for."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


def run(options: SpeedOptions) -> None:
    """Measure, print a table, and write the JSON file if there is one."""
    import torch

    from metarl.runtime import threads
    from metarl.runtime.devices import pick_device
    from metarl.runtime.machine import describe

    check_json_file(options.json)
    thread_count = check_threads(options.threads)
    distribution: TaskDistribution = registry.find("distribution", options.distribution)
    agent_type = _trainable(options.agent) if options.training else None
    device = pick_device(options.device, distribution)
    machine = describe() | {"threads": thread_count}
    if device == "cuda":
        machine["gpu"] = torch.cuda.get_device_name()
    training, peak = None, None
    with threads.using(thread_count), Console(stderr=True).status("measuring") as status:
        if agent_type is not None:
            status.update(f"measuring training of {escape(agent_type.name)}")
            training, peak = _measure_training(agent_type, distribution, device, options)
        status.update("measuring the environment")
        environment = _measure_environment(distribution, device, options)
    console = Console(highlight=False, soft_wrap=True)
    console.print(_table(f"{distribution.name} on {device}", [environment, *([training] if training else [])]))
    if peak is not None:
        console.print(f"peak memory of training: {peak / GIB:.2f} GiB, {_memory_about(device)}")
    console.print(machine_line(machine, thread_count), markup=False)
    write_json(options.json, {
        "machine": machine, "options": asdict(options), "device": device, "environment": environment.to_json(),
        "training": training and training.to_json(), "training_peak_memory_bytes": peak,
    })  # fmt: skip


def _trainable(name: str) -> AgentType:
    agent_type: AgentType = registry.find("agent", name)
    if agent_type.learner is None:
        raise MetarlError(
            f"the agent {agent_type.name!r} is not trained: choose another --agent, or measure the environment alone "
            "with --no-training"
        )
    return agent_type


def _measure_training(
    agent_type: AgentType, distribution: TaskDistribution, device: str, options: SpeedOptions
) -> tuple[Measurement, int]:
    """Return the rate of whole updates, and the peak memory in bytes."""
    import torch

    from metarl.runtime import free_memory, peak_memory

    assert agent_type.learner is not None
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    peak_memory.forget_peak()
    settings = agent_type.make_settings(distribution, {})
    learner = agent_type.learner(distribution, settings, 0, device)
    if (free := free_memory.free(device)) is not None:
        learner.check_memory(free)

    def update() -> int:
        before = learner.env_steps
        learner.update()
        synchronize(torch.device(device))
        return learner.env_steps - before

    samples = _samples(update, device, options)
    peak = torch.cuda.max_memory_allocated() if device == "cuda" else peak_memory.peak()
    return Measurement(f"training {agent_type.name}", getattr(settings, "num_envs", None), samples), peak


def _measure_environment(distribution: TaskDistribution, device: str, options: SpeedOptions) -> Measurement:
    trials = RandomTrials(distribution, options.num_envs, device)
    samples = _samples(trials.work, device, options)
    trials.close()
    return Measurement("environment, random actions", options.num_envs, samples)


def _samples(work: Callable[[], int], device: str, options: SpeedOptions) -> list[Sample]:
    from metarl.runtime.timing import measure

    for _ in range(WARM_UP[device]):
        work()
    return [measure(work, options.seconds) for _ in range(options.rounds)]


def _table(about: str, measurements: list[Measurement]) -> Table:
    """Return one row per measurement."""
    from metarl.runtime.timing import summarize

    title = f"{escape(about)}: thousands of env steps per second, over {len(measurements[0].samples)} rounds"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for name in ("environments", "median", "min", "max"):
        table.add_column(name, justify="right")
    for m in measurements:
        rate = summarize(m.samples)
        rates = (f"{value / 1e3:.2f}" for value in (rate.median, rate.low, rate.high))
        table.add_row(escape(m.about), "" if m.num_envs is None else str(m.num_envs), *rates)
    return table


def _memory_about(device: str) -> str:
    if device == "cuda":
        return "allocated by torch on the GPU (the physics engine has its own)"
    return "resident memory of the process"


# Shared with benchmarks/dev_speed --------------------------------------------------------------------------------


def machine_line(machine: Mapping[str, Any], threads: int) -> str:
    """Return the machine's description (metarl/runtime/machine.py) as one line."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    gpu = f"; {machine['gpu']}" if "gpu" in machine else ""
    return f"{machine['cpu']}, {threads} of {machine['cores']} cores, load {machine['load']} before{gpu}; {versions}"


def check_threads(threads: int | None) -> int:
    """Return the number of threads, all cores when None. Raise MetarlError if there are fewer cores."""
    from metarl.runtime.threads import available

    if threads is not None and threads > available():
        raise MetarlError(f"threads {threads} are more than the {available()} cores this process may use")
    return threads or available()


def check_json_file(file: Path | None) -> None:
    """Raise MetarlError if the file cannot be written, before the time for measurements is spent."""
    if file is None:
        return
    folder = file.absolute().parent
    if not folder.is_dir():
        raise MetarlError(f"there is no directory {folder} to write {file.name} into: make it first")
    if file.is_dir():
        raise MetarlError(f"{file} is a directory: give --json the path of a file")
    if not os.access(folder, os.W_OK):
        raise MetarlError(f"the directory {folder} is not writable: give --json a path in another one")


def write_json(file: Path | None, data: Mapping[str, Any]) -> None:
    """Write measurements to a file; do nothing when it is None."""
    from metarl.training.run_dir import write_atomically, writing

    if file is not None:
        with writing(file, "give another --json"):
            write_atomically(file, (json.dumps(data, indent=2, default=str) + "\n").encode())


COMMAND = Command("speed", SpeedOptions, run, "env steps per second and peak memory of training, on this machine")
