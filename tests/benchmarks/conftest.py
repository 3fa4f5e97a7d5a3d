"""A tiny suite that is trained and evaluated in seconds, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from metarl.benchmarks.commands.benchmark import begin, suite_methods
from metarl.benchmarks.job.benchmark_folder import BenchmarkFolder
from metarl.benchmarks.job.job import jobs, run_job
from metarl.benchmarks.suites import suite as suites

SMALL = {"num_envs": 4, "minibatches": 2, "epochs": 1, "hidden_size": 8, "head_size": 8}
TINY: dict[str, Any] = {
    "name": "tiny", "about": "For tests.", "seeds": 2, "agents": ["rl2"], "controls": ["random", "oracle"],
    "methods": {
        "rl2": {"agent": "rl2", "settings": SMALL},
        "rl2, memory wiped": {"agent": "rl2", "of": "rl2", "settings": {"wipe_memory": True}, "control": True},
        "oracle": {"agent": "oracle", "settings": SMALL, "control": True},
        "random": {"agent": "random", "control": True},
    },
    "distributions": [{
        "name": "PointGoalSparse", "steps": {"default": 960, "oracle": 480}, "episodes": 2,
        "eval_sets": {
            "test": {"tasks": 5, "replicates": 2}, "ood": {"tasks": 3, "replicates": 2},
            "long": {"tasks": 2, "replicates": 1, "episodes": 4},
        },
    }],
}  # fmt: skip


def write_suite(folder: Path, **changes: Any) -> Path:
    """Write the tiny suite with some keys changed; returns the path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny.json"
    path.write_text(json.dumps(TINY | changes))
    return path


def run(path: Path, out: Path, agents: tuple[str, ...] = (), seeds: int = 2) -> BenchmarkFolder:
    """Run all jobs of a benchmark in this process."""
    suite = suites.load(str(path))
    folder = begin(suite, suite_methods(suite, agents), seeds, str(out))
    for job in list(jobs(folder)):
        run_job(folder, job, "cpu")
    return folder


@pytest.fixture(scope="session")
def run_benchmark() -> Callable[..., BenchmarkFolder]:
    return run


@pytest.fixture(scope="session")
def suite_file() -> Callable[..., Path]:
    return write_suite


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> BenchmarkFolder:
    """The folder of a finished benchmark. Not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    return run(write_suite(folder), folder / "out")
