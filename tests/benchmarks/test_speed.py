"""`metarl speed`: the table, the JSON file and the errors. No test depends on a speed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
import torch

import metarl
from metarl import MetarlError, registry
from metarl.benchmarks.commands.speed import COMMAND, RandomTrials, SpeedOptions, device_actions, run
from metarl.cli.main import parse
from metarl.runtime import free_memory

SHORT = """
from dataclasses import replace

import metarl

short_grid = replace(metarl.get("GridNavi"), horizon=4, episodes=2)
"""


@pytest.fixture
def short(tmp_path: Path) -> str:
    """Return the name of a distribution whose trials are two episodes of four steps."""
    path = tmp_path / "short.py"
    path.write_text(SHORT)
    return f"{path}:short_grid"


def tiny(distribution: str, **options: Any) -> SpeedOptions:
    chosen: dict[str, Any] = {"num_envs": 4, "device": "cpu", "threads": 1, "rounds": 2, "seconds": 0.0, **options}
    return SpeedOptions(distribution, **chosen)


def test_environment_training_and_memory_are_printed_and_written(
    short: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "speed.json"
    run(tiny(short, json=file))
    data = json.loads(file.read_text())
    assert data["device"] == "cpu"
    assert data["options"]["distribution"] == short
    assert data["machine"]["threads"] == 1
    assert data["environment"]["num_envs"] == 4
    assert [sample["steps"] for sample in data["environment"]["samples"]] == [2 * 4 * 4] * 2
    trained = data["training"]
    tuned = registry.find("agent", "rl2").make_settings(metarl.get("GridNavi"), {})
    assert trained["num_envs"] == tuned.num_envs
    assert [sample["steps"] for sample in trained["samples"]] == [2 * 4 * trained["num_envs"]] * 2
    for part in (data["environment"], trained):
        assert 0 < part["min"] <= part["median"] <= part["max"]
    assert data["training_peak_memory_bytes"] > 2**25
    out = capsys.readouterr().out
    for text in ("GridNavi on cpu", "median", "environment, random actions", "training rl2", "peak memory", "mujoco"):
        assert text in out
    assert data["machine"]["cpu"] in out


def test_no_training_measures_the_environment_alone(
    short: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "speed.json"
    run(tiny(short, agent="not looked up", training=False, json=file))
    data = json.loads(file.read_text())
    assert data["training"] is None
    assert data["training_peak_memory_bytes"] is None
    assert "peak memory" not in capsys.readouterr().out


def test_a_maml_agent_is_trained(capsys: pytest.CaptureFixture[str], short: str) -> None:
    run(tiny(short, agent="reptile", rounds=1))
    assert "training reptile" in capsys.readouterr().out


def test_random_trials_have_new_tasks_and_count_no_resting_steps() -> None:
    trials = RandomTrials(metarl.get("Breakout"), 4)
    horizon, tasks = trials.env.horizon * trials.env.episodes, []
    for _ in range(2):
        assert 0 < trials.work() < horizon * 4  # random actions soon lose the ball
        tasks.append(trials.env.environment.task["value"])
    assert not torch.equal(*tasks)
    trials.close()


def test_random_actions_fill_the_space() -> None:
    env = metarl.get("HalfCheetahVel").make(3).environment
    actions = torch.stack(device_actions(env, 50))
    assert actions.shape == (50, 3, 6)
    assert actions.dtype == torch.float32
    assert actions.min() < -0.9 < 0.9 < actions.max()
    assert actions.abs().max() <= 1
    games = torch.stack(device_actions(metarl.get("GridNavi").make(3).environment, 50))
    assert games.shape == (50, 3)
    assert set(games.flatten().tolist()) == set(range(5))
    assert isinstance(env.action_space, gym.spaces.Box)


def test_options_are_read_from_the_command_line() -> None:
    arguments = ["GridNavi", "--agent", "ppo", "--num-envs", "8", "--no-training", "--json", "x.json"]
    options = parse(COMMAND.options, arguments, "metarl speed")
    assert options == SpeedOptions("GridNavi", agent="ppo", num_envs=8, training=False, json=Path("x.json"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_envs": 0}, "num_envs must be a whole number of at least 1, got 0"),
        ({"rounds": 0}, "rounds must be a whole number of at least 1, got 0"),
        ({"threads": 0}, "threads must be a whole number of at least 1, got 0"),
        ({"seconds": -1.0}, "seconds must be a number of at least 0, got -1.0"),
        ({"device": "tpu"}, "device must be auto, cpu or cuda, got 'tpu'"),
    ],
)
def test_an_option_out_of_range_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(MetarlError, match=message):
        SpeedOptions(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distribution": "GridNav"}, "unknown distribution 'GridNav'; did you mean 'GridNavi'"),
        ({"agent": "rl3"}, "unknown agent 'rl3'; did you mean 'rl2'"),
        ({"agent": "random"}, "the agent 'random' is not trained: .* --no-training"),
        ({"threads": 4096}, "threads 4096 are more than the"),
        ({"json": Path("/nowhere/speed.json")}, "there is no directory /nowhere to write speed.json into"),
        ({"json": Path("/")}, "is a directory: give --json the path of a file"),
    ],
)
def test_an_error_is_raised_before_anything_is_measured(
    options: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metarl.runtime.timing.measure", lambda *_: pytest.fail("something was measured"))
    with pytest.raises(MetarlError, match=message):
        run(tiny(**{"distribution": "GridNavi", **options}))


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(MetarlError, match="is not writable: give --json a path in another one"):
        run(tiny("GridNavi", json=tmp_path / "speed.json"))


def test_cuda_on_a_machine_without_a_gpu_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MetarlError, match="CUDA"):
        run(tiny("GridNavi", device="cuda"))


def test_training_that_does_not_fit_into_memory_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_memory, "free", lambda device: 1000)
    with pytest.raises(MetarlError, match="GiB are free"):
        run(tiny("GridNavi"))


def test_the_number_of_threads_is_restored(short: str) -> None:
    before = torch.get_num_threads()
    run(tiny(short, training=False, rounds=1))
    assert torch.get_num_threads() == before
