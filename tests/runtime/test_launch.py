"""Training in several processes, which one command starts and ends."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import metarl
from metarl import registry
from metarl.agents.ppo.presets import RL2Settings
from metarl.cli.main import main
from metarl.runtime import distributed
from metarl.runtime.launch import launch_processes
from metarl.training.run_dir import read_table

SMALL = [
    "--steps", "900", "--evaluate-every", "0", "--num-envs", "6", "--minibatches", "3", "--epochs", "2",
    "--hidden-size", "8", "--head-size", "8",
]  # fmt: skip


@pytest.fixture
def train(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Path, str]]:
    """train(name, *options): train an agent; returns the exit status, the run directory and the output."""

    def run(name: str, *options: str) -> tuple[int, Path, str]:
        status = main(["train", "rl2", "CartPoleSign", "--run-dir", str(tmp_path / name), *SMALL, *options])
        return status, tmp_path / name, "".join(capfd.readouterr())

    return run


def test_two_processes_train_like_one_and_restore_environment_variables(
    train: Callable[..., tuple[int, Path, str]],
) -> None:
    before = dict(os.environ)
    status, two, output = train("two", "--processes", "2", "--threads", "1")
    assert (status, output.count("trained; the run is in")) == (0, 1)
    assert dict(os.environ) == before
    assert distributed.size() == 1
    assert json.loads((two / "config.json").read_text())["processes"] == 2
    status, one, _ = train("one", "--threads", "1")
    assert status == 0
    assert json.loads((one / "config.json").read_text())["processes"] == 1
    left, right = (read_table(path / "metrics.csv") for path in (two, one))
    assert left["env_steps"] == right["env_steps"]
    for name, values in left.items():
        assert values == pytest.approx(right[name], rel=1e-2, abs=1e-3, nan_ok=True), name


def test_stderr_of_launched_processes_is_forwarded_without_repeated_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "printer.py").write_text("import sys\nprint('error: too hot\\nmind the step', file=sys.stderr)")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(metarl.MetarlError, match="too hot"), launch_processes(2, "printer", []):
        raise metarl.MetarlError("too hot")
    assert capfd.readouterr().err == "mind the step\n"
    with launch_processes(2, "printer", []):
        pass
    assert capfd.readouterr().err == "error: too hot\nmind the step\n"


@pytest.mark.slow
def test_error_is_printed_once_and_all_processes_end(train: Callable[..., tuple[int, Path, str]]) -> None:
    train("run", "--threads", "1")
    status, _, output = train("run", "--processes", "2", "--threads", "1")
    assert status == 1
    assert output.count("error:") == 1
    assert "--resume" in output


@pytest.mark.parametrize(
    ("num_envs", "minibatches", "cores", "processes"),
    [(64, 4, 1, 1), (64, 4, 2, 2), (64, 4, 3, 2), (64, 4, 64, 4), (128, 4, 64, 8), (12, 4, 8, 1), (64, 64, 8, 1)],
)
def test_best_processes_gives_each_process_16_trials(
    num_envs: int, minibatches: int, cores: int, processes: int
) -> None:
    settings = RL2Settings(num_envs=num_envs, minibatches=minibatches)
    assert registry.find("agent", "rl2").best_processes(settings, cores) == processes


def test_random_agent_uses_one_process() -> None:
    assert registry.find("agent", "random").best_processes(None, 8) == 1


def test_several_processes_in_a_script_raise() -> None:
    with pytest.raises(metarl.MetarlError, match="start your script with torchrun"):
        metarl.train("rl2", "CartPoleSign", processes=2)
