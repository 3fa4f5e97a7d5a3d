"""Small training runs for tests: an update has 4 trials of 120 steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import metarl

UPDATE = 480  # env steps: 4 environments, 3 episodes of 40 steps
SETTINGS = {"num_envs": 4, "minibatches": 2, "epochs": 2, "hidden_size": 8, "head_size": 8}
OPTIONS = {"steps": 6 * UPDATE, "checkpoint_every": 2 * UPDATE, "evaluate_every": 3 * UPDATE, "threads": 1}


@pytest.fixture(scope="session")
def tiny() -> Callable[..., Path]:
    """tiny(run_dir, agent, distribution, **options) trains a small run; settings={...} is an option too."""

    def train(run_dir: Path, agent: Any = "rl2", distribution: Any = "PointGoalSparse", **options: Any) -> Path:
        given = options.pop("settings", {})
        settings = None if given is None else SETTINGS | given
        return metarl.train(agent, distribution, run_dir=run_dir, settings=settings, **{**OPTIONS, **options})

    return train


@pytest.fixture(scope="session")
def whole(tiny: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of 6 updates without an interruption. Tests do not change it."""
    return tiny(tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture(scope="session")
def assert_same() -> Callable[[Path, Path], None]:
    """assert_same(a, b) fails unless two runs have the same metrics file and the same learner state, bit for bit."""

    def check(a: Path, b: Path) -> None:
        assert (a / "metrics.csv").read_bytes() == (b / "metrics.csv").read_bytes()
        left, right = (torch.load(run / "checkpoint.pt", weights_only=True) for run in (a, b))
        for state in (left, right):  # the wall clock differs
            del state["seconds"], state["times_bytes"]
        assert flat(left) == flat(right)

    return check


def flat(value: Any) -> Any:
    """Nested containers with tensors as (dtype, shape, bytes), so that `==` compares every bit."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.contiguous().numpy().tobytes()
    if isinstance(value, dict):
        return {key: flat(item) for key, item in value.items()}
    return [flat(item) for item in value] if isinstance(value, list | tuple) else value
