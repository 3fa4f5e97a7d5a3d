"""`python -m metarl.benchmarks.dev_speed robots`: a robot's environment and training, beside other ways to run them.

The sides of one run: bare physics, this package's environments and training, and other libraries' counterparts. With
--device cuda it measures several distributions and batch sizes instead (sizes.py, on_device.py).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from metarl import registry
from metarl.benchmarks.commands.speed import check_json_file, check_threads, write_json
from metarl.benchmarks.dev_speed import sizes
from metarl.benchmarks.dev_speed.robot_options import RobotSpeedOptions
from metarl.errors import MetarlError, unknown

if TYPE_CHECKING:
    from metarl.benchmarks.dev_speed.side import Side
    from metarl.runtime.timing import Sample
    from metarl.tasks.task_distribution import TaskDistribution

AGENT, META_AGENT = "rl2", "promp"
MEMORY_UPDATES = 3


@dataclass(frozen=True)
class Plan:
    """A side to measure."""

    about: str
    open: Callable[[], Side]  # raises MetarlError where the side is not available on this machine
    peer: bool = False  # another library's: MuJoCo's timers run, as they do without this package


def plans(o: RobotSpeedOptions, distribution: TaskDistribution, threads: int) -> dict[str, Plan]:
    """Return the requested sides, by their names in the JSON file. Raises MetarlError for an unknown side."""
    from metarl.benchmarks.dev_speed import peers
    from metarl.benchmarks.dev_speed.bare import BarePhysics, StockPhysics
    from metarl.benchmarks.dev_speed.tensor_env import TensorEnvironment
    from metarl.benchmarks.dev_speed.training_loop import TorchSteps, TrainingLoop
    from metarl.benchmarks.dev_speed.variation import NewTasks, with_neutral_physics
    from metarl.benchmarks.dev_speed.vector_env import our_vector_env

    d, n, few, train = distribution, o.num_envs, o.gymnasium_envs, o.train_envs
    shape = {"hidden_size": o.hidden_size, "epochs": o.epochs}
    agent_type = registry.find("agent", AGENT)
    settings = agent_type.settings(num_envs=train, **shape)
    processes = agent_type.best_processes(settings, threads)
    meta = {"num_envs": o.meta_envs, "meta_batch_size": max(1, o.meta_envs // 20)}
    available = {
        "stock": Plan(f"unmodified MuJoCo, {n}", partial(StockPhysics, d, n)),
        "bare": Plan(f"bare physics, {n}", partial(BarePhysics, d, n)),
        "bare_derived": Plan(f"bare + derived, {n}", partial(BarePhysics, d, n, derived=True)),
        "tensor": Plan(f"tensor env, {n}", partial(TensorEnvironment, d, n)),
        "own_bare": Plan(f"own models bare, {n}", lambda: BarePhysics(with_neutral_physics(d), n)),
        "own_tensor": Plan(f"own models env, {n}", lambda: TensorEnvironment(with_neutral_physics(d), n)),
        "new_tasks": Plan(f"new bodies, {n}", partial(NewTasks, d, n)),
        "vector_env": Plan(f"NumPy VectorEnv, {n}", partial(our_vector_env, d, n)),
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
                peers.RecurrentPPO, d, train, head_size=settings.head_size, minibatches=settings.minibatches, **shape
            ),
            peer=True,
        ),
    }
    for side in o.sides:
        if side not in available:
            raise unknown("side", side, available)
    left_out = set(available) - set(o.sides) if o.sides else set()
    left_out |= set() if o.peers else {"envpool", "sync", "async", "recurrent_ppo"}
    left_out |= set() if o.training else {
        "tensor_train", "training", "one_process", "torch_steps", "meta_training", "recurrent_ppo",
    }  # fmt: skip
    return {key: plan for key, plan in available.items() if key not in left_out}


def run(options: RobotSpeedOptions) -> None:
    """Measure, print a table, and write the JSON file if there is one."""
    from metarl.benchmarks.dev_speed.peak_memory import training_peak
    from metarl.benchmarks.dev_speed.report import Report
    from metarl.runtime.machine import describe, limited_to

    check_json_file(options.json)
    if options.device != "cpu" or options.engine == "warp":
        sizes.run(options)
        return
    machine = describe()
    threads = check_threads(options.threads)
    distribution: TaskDistribution = registry.find("distribution", options.distribution)
    planned = plans(options, distribution, threads)
    with limited_to(threads):
        samples, left_out, shares = _measure(planned, options)
        memory = None
        if "training" in planned:
            memory = training_peak(AGENT, options.distribution, MEMORY_UPDATES, threads)
    report = Report(
        machine | {"threads": threads}, asdict(options), samples, left_out, shares, memory, distribution.world
    )
    report.print(Console())
    write_json(options.json, report.to_json())


def _measure(
    planned: dict[str, Plan], options: RobotSpeedOptions
) -> tuple[dict[str, tuple[str, list[Sample]]], dict[str, str], dict[str, dict[str, float]]]:
    """Return each side's description and samples, the reasons for sides left out, and the time shares of training."""
    from metarl.benchmarks.dev_speed.training_loop import TrainingLoop
    from metarl.envs.physics import timers
    from metarl.runtime.timing import measure, take_turns

    sides: dict[str, Side] = {}
    left_out: dict[str, str] = {}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=len(planned) * (options.rounds + 1))
        try:
            for key, plan in planned.items():
                progress.update(bar, description=f"starting {plan.about}", advance=1)
                try:
                    sides[key] = plan.open()
                except MetarlError as error:
                    left_out[plan.about] = str(error)
                    continue
                sides[key].warm_up()
            samples: dict[str, tuple[str, list[Sample]]] = {key: (planned[key].about, []) for key in sides}
            for key in take_turns(list(sides), options.rounds):
                progress.update(bar, description=planned[key].about, advance=1)
                with timers.running() if planned[key].peer else nullcontext():
                    samples[key][1].append(measure(sides[key].work, options.seconds))
            loops = {key: side for key, side in sides.items() if isinstance(side, TrainingLoop)}
            return samples, left_out, {planned[key].about: loop.shares for key, loop in loops.items()}
        finally:
            for side in sides.values():
                side.close()
