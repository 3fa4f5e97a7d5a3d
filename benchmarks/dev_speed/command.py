"""`metarl speed`: our environment and training loop beside bare physics and beside what others offer, in one run."""

from __future__ import annotations

import json as json_format
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from metarl import registry
from metarl.cli.command import Command
from metarl.errors import MetarlError, unknown

if TYPE_CHECKING:
    from metarl.benchmarks.dev_speed.timing import Sample, Side
    from metarl.tasks.task_distribution import TaskDistribution

AGENT, META_AGENT = "rl2", "promp"
MEMORY_UPDATES = 3


@dataclass(frozen=True)
class SpeedOptions:
    """Env steps a second of the bare physics, our environments, their peers, and training."""

    distribution: str = "HalfCheetahVel"
    """a name, path/to/file.py:Name or package.module:Name; peers run Gymnasium's own version of its robot"""
    num_envs: int = 256
    """environments side by side: ours, the bare physics and EnvPool"""
    gymnasium_envs: int = 16
    """environments side by side in Gymnasium's vector environments"""
    train_envs: int = 64
    """environments side by side in training"""
    meta_envs: int = 160
    """environments side by side in training ProMP, 20 to a task"""
    epochs: int = 2
    """passes over a meta-batch in training"""
    hidden_size: int = 128
    """units of the memory in training"""
    rounds: int = 5
    """how often each side is measured; they take turns"""
    seconds: float = 2.0
    """least time a side is measured in a round (s); whole trials or episodes, so often longer"""
    threads: int | None = None
    """CPU threads of every side; all cores by default"""
    peers: bool = True
    """measure EnvPool, Gymnasium's vector environments and sb3-contrib's RecurrentPPO too"""
    training: bool = True
    """measure training too, its speed and its peak memory"""
    sides: tuple[str, ...] = ()
    """measure these alone, such as bare tensor envpool: they are named so in the JSON file"""
    device: str = "cpu"
    """cpu; or cuda: the bare engine, our environment and training beside it, of these families at these sizes"""
    engine: str | None = None
    """warp: on cpu, the same measurements as on cuda, which there say nothing but that they work"""
    families: tuple[str, ...] = ("HalfCheetahVel", "AntDir2D", "Walker2dRandParams", "HumanoidDir", "GridNavi", "Catch")
    """what is measured on cuda"""
    sizes: tuple[int, ...] = (1024, 4096, 8192, 16384, 32768, 65536)
    """environments side by side, on cuda"""
    json: Path | None = None
    """write machine, options and every sample to this file"""

    def __post_init__(self) -> None:
        for name in ("num_envs", "gymnasium_envs", "train_envs", "meta_envs", "epochs", "hidden_size", "rounds"):
            if getattr(self, name) < 1:
                raise MetarlError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.seconds >= 0:
            raise MetarlError(f"seconds must be at least 0, got {self.seconds}")
        if self.threads is not None and self.threads < 1:
            raise MetarlError(f"threads must be at least 1, got {self.threads}")


@dataclass(frozen=True)
class Plan:
    """A side to measure."""

    about: str
    open: Callable[[], Side]  # raises MetarlError where it cannot be had here
    peer: bool = False  # measured as it is without metarl


def plans(o: SpeedOptions, distribution: TaskDistribution, threads: int) -> dict[str, Plan]:
    """Every side that is asked for, by the key it has in the JSON file."""
    from metarl.benchmarks.dev_speed import peers
    from metarl.benchmarks.dev_speed.bare import BarePhysics, StockPhysics
    from metarl.benchmarks.dev_speed.loop import TorchSteps, TrainingLoop
    from metarl.benchmarks.dev_speed.tensors import TensorEnvironment
    from metarl.benchmarks.dev_speed.variation import NewTasks, with_neutral_physics
    from metarl.benchmarks.dev_speed.vectors import our_face

    d, n, few, train = distribution, o.num_envs, o.gymnasium_envs, o.train_envs
    shape = {"hidden_size": o.hidden_size, "epochs": o.epochs}
    kind = registry.find("agent", AGENT)
    learning = kind.settings(num_envs=train, **shape)
    processes = kind.best_processes(learning, threads)
    meta = {"num_envs": o.meta_envs, "meta_batch_size": max(1, o.meta_envs // 20)}
    everything = {
        "stock": Plan(f"MuJoCo as it comes, {n}", partial(StockPhysics, d, n)),
        "bare": Plan(f"bare physics, {n}", partial(BarePhysics, d, n)),
        "bare_derived": Plan(f"bare + derived, {n}", partial(BarePhysics, d, n, derived=True)),
        "tensor": Plan(f"tensor env, {n}", partial(TensorEnvironment, d, n)),
        "own_bare": Plan(f"own models bare, {n}", lambda: BarePhysics(with_neutral_physics(d), n)),
        "own_tensor": Plan(f"own models env, {n}", lambda: TensorEnvironment(with_neutral_physics(d), n)),
        "new_tasks": Plan(f"new bodies, {n}", partial(NewTasks, d, n)),
        "face": Plan(f"NumPy VectorEnv, {n}", partial(our_face, d, n)),
        "envpool": Plan(f"EnvPool, {n}", partial(peers.env_pool, d, n, threads), peer=True),
        "sync": Plan(f"SyncVectorEnv, {few}", partial(peers.gymnasium_sync, d, few), peer=True),
        "async": Plan(f"AsyncVectorEnv, {few}", partial(peers.gymnasium_async, d, few), peer=True),
        "tensor_train": Plan(f"tensor env, {train}", partial(TensorEnvironment, d, train)),
        "training": Plan(
            f"RL² training, {train}",
            partial(TrainingLoop, o.distribution, AGENT, processes=processes, num_envs=train, **shape),
        ),
        "one_process": Plan(
            f"RL² in one process, {train}", partial(TrainingLoop, o.distribution, AGENT, num_envs=train, **shape)
        ),
        "torch_steps": Plan(
            f"the same, steps in torch, {train}", partial(TorchSteps, o.distribution, AGENT, num_envs=train, **shape)
        ),
        "meta_training": Plan(
            f"ProMP training, {o.meta_envs}", partial(TrainingLoop, o.distribution, META_AGENT, **meta)
        ),
        "recurrent_ppo": Plan(
            f"RecurrentPPO, {train}",
            partial(
                peers.RecurrentPPO, d, train, head_size=learning.head_size, minibatches=learning.minibatches, **shape
            ),
            peer=True,
        ),
    }
    for side in o.sides:
        if side not in everything:
            raise unknown("side", side, everything)
    left_out = set(everything) - set(o.sides) if o.sides else set()
    left_out |= set() if o.peers else {"envpool", "sync", "async", "recurrent_ppo"}
    left_out |= set() if o.training else {
        "tensor_train", "training", "one_process", "torch_steps", "meta_training", "recurrent_ppo",
    }  # fmt: skip
    return {key: plan for key, plan in everything.items() if key not in left_out}


def run(options: SpeedOptions) -> None:
    """Measure, print a table, write the file asked for."""
    from metarl.benchmarks.dev_speed.peak_memory import training_peak
    from metarl.benchmarks.dev_speed.report import Report
    from metarl.runtime.machine import describe, limited_to
    from metarl.training.run_dir import write_atomically

    if options.json is not None and not (folder := options.json.absolute().parent).is_dir():
        raise MetarlError(f"there is no directory {folder} to write {options.json.name} into: make it first")
    if options.device != "cpu" or options.engine == "warp":
        from metarl.benchmarks.dev_speed import sizes

        sizes.run(options)
        return
    machine = describe()
    cores, threads = machine["cores"], options.threads or machine["cores"]
    if threads > cores:
        raise MetarlError(f"threads {threads} are more than the {cores} cores this process may use")
    distribution: TaskDistribution = registry.find("distribution", options.distribution)
    wanted = plans(options, distribution, threads)
    trains = "training" in wanted
    with limited_to(threads):
        samples, left_out, shares = _measure(wanted, options)
        memory = training_peak(AGENT, options.distribution, MEMORY_UPDATES, threads) if trains else None
    report = Report(
        machine | {"threads": threads}, asdict(options), samples, left_out, shares, memory, distribution.world
    )
    report.print(Console())
    if options.json is not None:
        write_atomically(options.json, (json_format.dumps(report.to_json(), indent=2, default=str) + "\n").encode())


def _measure(
    wanted: dict[str, Plan], options: SpeedOptions
) -> tuple[dict[str, tuple[str, list[Sample]]], dict[str, str], dict[str, dict[str, float]]]:
    """Samples of each side beside what it is; why others were left out; where training's time went."""
    from metarl.benchmarks.dev_speed.loop import TrainingLoop
    from metarl.benchmarks.dev_speed.timing import measure, take_turns
    from metarl.envs.physics import timers

    sides: dict[str, Side] = {}
    left_out: dict[str, str] = {}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=len(wanted) * (options.rounds + 1))
        try:
            for key, plan in wanted.items():
                progress.update(bar, description=f"starting {plan.about}", advance=1)
                try:
                    sides[key] = plan.open()
                except MetarlError as error:
                    left_out[plan.about] = str(error)
                    continue
                sides[key].warm_up()
            samples: dict[str, tuple[str, list[Sample]]] = {key: (wanted[key].about, []) for key in sides}
            for key in take_turns(list(sides), options.rounds):
                progress.update(bar, description=wanted[key].about, advance=1)
                with timers.running() if wanted[key].peer else nullcontext():
                    samples[key][1].append(measure(sides[key], options.seconds))
            loops = {key: side for key, side in sides.items() if isinstance(side, TrainingLoop)}
            return samples, left_out, {wanted[key].about: loop.shares for key, loop in loops.items()}
        finally:
            for side in sides.values():
                side.close()


COMMAND = Command("speed", SpeedOptions, run, "env steps a second, beside bare physics and beside other libraries")
