"""`metarl train AGENT DISTRIBUTION`: meta-training into a run directory."""

from __future__ import annotations

import shlex
from dataclasses import field, fields, make_dataclass
from typing import Any

from metarl import registry
from metarl.cli.main import parse
from metarl.core.agent import AgentType
from metarl.errors import MetarlError
from metarl.runtime import distributed, threads
from metarl.runtime.devices import pick_device
from metarl.runtime.launch import is_launched_process, launch_processes
from metarl.tasks.task_distribution import TaskDistribution
from metarl.training.options import TrainOptions
from metarl.training.run_dir import CONFIG, Run
from metarl.training.train import run_path, train

ABOUT = (
    "Meta-train an agent on a task distribution into a run directory. AGENT and DISTRIBUTION are names from `metarl "
    "list`, path/to/file.py:Name or package.module:Name."
)
ABOUT_WITHOUT_NAMES = f"{ABOUT} Name both to see the settings of the agent: metarl train rl2 HalfCheetahVel --help"


def main(arguments: list[str]) -> None:
    """Run `metarl train`. The agent's settings are options whose defaults are tuned for the distribution."""
    names = arguments[: next((i for i, a in enumerate(arguments[:2]) if a.startswith("-")), 2)]
    if len(names) < 2:
        if {"-h", "--help"} & set(arguments):
            parse(TrainOptions, ["--help"], "metarl train AGENT DISTRIBUTION", ABOUT_WITHOUT_NAMES)
        raise MetarlError(_missing_names_text(names))
    agent_type, distribution = registry.find("agent", names[0]), registry.find("distribution", names[1])
    if agent_type.learner is None:
        raise MetarlError(
            f"the agent {agent_type.name!r} has nothing to train: give it to `metarl evaluate` as --against"
        )
    for name in (a[2:].partition("=")[0].replace("-", "_") for a in arguments if a.startswith("--")):
        agent_type.check_supported(name)
    options = _options(agent_type, agent_type.make_settings(distribution, {}))
    chosen = parse(options, arguments[2:], f"metarl train {shlex.join(names)}", agent_type.about or ABOUT)
    sources = {"agent": registry.source(names[0]), "distribution": registry.source(names[1])}
    if not chosen.run.resume and distributed.rank_and_size()[0] == 0:
        Run.check_new(run_path(agent_type, distribution, chosen.run))  # before other processes are started
    count = _process_count(agent_type, distribution, chosen.settings, chosen.run)
    try:
        with launch_processes(count, "metarl", ["train", *arguments]):
            run = train(agent_type, distribution, chosen.settings, chosen.run, sources)
    except distributed.PeerLost:
        if is_launched_process():  # only the first process prints the error
            raise SystemExit(1) from None
        raise
    if distributed.rank_and_size()[0] > 0:
        return
    path = shlex.quote(str(run.path))
    print(f"trained; the run is in {path}\nevaluate it on held-out tasks with: metarl evaluate {path}")


def _process_count(agent_type: AgentType, distribution: TaskDistribution, settings: Any, options: TrainOptions) -> int:
    """Return the number of processes: as given, as in the run that is resumed, or the fastest for the agent."""
    if distributed.rank_and_size()[1] > 1:
        return 1
    if options.processes is not None:
        return options.processes
    if pick_device(options.device, distribution) != "cpu":
        return 1
    path = run_path(agent_type, distribution, options)
    if options.resume and (path / CONFIG).exists():
        return Run.open(path).config.get("processes", 1)
    return 1 if options.threads else agent_type.best_processes(settings, threads.available())


def _missing_names_text(names: list[str]) -> str:
    kinds = ("agent", "distribution")[len(names) :]
    lists = "; ".join(f"{kind}s: {', '.join(registry.names(kind))}" for kind in kinds)
    missing = "a distribution" if names else "an agent and a distribution"
    example = f"metarl train {names[0] if names else 'rl2'} HalfCheetahVel --steps 1000000"
    return f"name {missing} before any option, as in `{example}`. There are {lists}"


def _options(agent_type: AgentType, defaults: Any) -> type:
    """Return a dataclass of the options of the run and the agent's settings."""
    if clash := {f.name for f in fields(TrainOptions)} & {f.name for f in fields(agent_type.settings)}:
        names = ", ".join(sorted(clash))
        raise MetarlError(f"settings of {agent_type.name} have names of options of train: rename {names}")
    run = ("run", TrainOptions, field(default_factory=TrainOptions))
    settings = ("settings", agent_type.settings, field(default=defaults))
    return make_dataclass("Train", [run, settings], frozen=True)
