"""Several processes compute what one would. If one is killed, the run ends with a message and can be resumed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

import metarl
from metarl.agents.action_distributions import ActionNoise
from metarl.cli.main import main
from metarl.core.agent import AgentType, Learner
from metarl.runtime import distributed
from metarl.runtime.distributed import Shard
from metarl.training.run_dir import read_table

SERVER = """
import json, os, sys
import mujoco, torch.distributed, torch.utils.tensorboard
import metarl.envs.catalogue, metarl.agents.ppo.presets, metarl.agents.maml.presets
from metarl.cli.main import main

for line in sys.stdin:
    processes = []
    for environment, arguments, output in json.loads(line):
        processes.append(os.fork())
        if processes[-1] == 0:
            os.environ.update(environment)
            file = os.open(output, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
            os.dup2(file, 1), os.dup2(file, 2)
            sys.exit(main(arguments))
    print(json.dumps(processes), flush=True)
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]), flush=True)
"""  # imports once; each line of input starts processes; prints their ids, then their exit statuses

SMALL = ["--threads", "1", "--evaluate-every", "0", "--hidden-size", "8"]
RL2 = [*SMALL, "--num-envs", "6", "--minibatches", "3", "--epochs", "2", "--head-size", "8"]
MAML = [*SMALL, "--num-envs", "12", "--meta-batch-size", "4"]


@dataclass
class Launched:
    """Processes that are running."""

    server: subprocess.Popen[str]
    outputs: list[Path]
    numbers: list[int]

    def end(self) -> list[int]:
        """Wait for the processes and return their exit statuses, negative for a signal."""
        assert self.server.stdout is not None
        return json.loads(self.server.stdout.readline())

    def texts(self) -> list[str]:
        """Return the output of each process."""
        return [output.read_text() for output in self.outputs]


@pytest.fixture(scope="module")
def server() -> Iterator[subprocess.Popen[str]]:
    pipe, env = subprocess.PIPE, os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen([sys.executable, "-c", SERVER], stdin=pipe, stdout=pipe, text=True, env=env) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def launch(server: subprocess.Popen[str], tmp_path: Path) -> Callable[..., Launched]:
    """launch(arguments, processes) starts the command line in several processes, as torchrun does."""

    def start(arguments: list[str], processes: int = 2) -> Launched:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(processes)}
        outputs = [tmp_path / f"{port}-{rank}.txt" for rank in range(processes)]
        ranks = [{**common, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]
        assert server.stdin is not None
        assert server.stdout is not None
        print(json.dumps([[r, arguments, str(o)] for r, o in zip(ranks, outputs, strict=True)]), file=server.stdin)
        server.stdin.flush()
        return Launched(server, outputs, json.loads(server.stdout.readline()))

    return start


def train(path: Path, agent: str, distribution: str, steps: int, settings: list[str], *options: str) -> list[str]:
    return ["train", agent, distribution, "--run-dir", str(path), "--steps", str(steps), *settings, *options]


def weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the weights and statistics of the policy in a run's checkpoint."""
    state = torch.load(path / "checkpoint.pt", weights_only=True)["learner"]["policy"]
    return {name: value.double() for name, value in state.items() if isinstance(value, torch.Tensor)}


def assert_close(a: Path, b: Path, tolerance: float) -> None:
    """Assert that two runs are equal up to rounding and its consequences."""
    left, right = read_table(a / "metrics.csv"), read_table(b / "metrics.csv")
    assert left["env_steps"] == right["env_steps"]
    for name, values in left.items():
        assert values == pytest.approx(right[name], rel=10 * tolerance, abs=tolerance, nan_ok=True), name
    before, after = weights(a), weights(b)
    assert before.keys() == after.keys()
    for name, value in before.items():
        torch.testing.assert_close(
            value, after[name], rtol=tolerance, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}"
        )


slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("agent", "distribution", "steps", "settings", "tolerance"),
    [
        # Episodes end at different steps; the noise must not differ. The quick test is tests/runtime/test_launch.py.
        pytest.param("rl2", "CartPoleSign", 800, RL2, 1e-3, marks=slow),
        pytest.param("promp", "PointGoalSparse", 2000, MAML, 1e-3, marks=slow),
        pytest.param("rl2", "GridNavi", 1000, [*RL2, "--target-kl", "0.01"], 1e-3, marks=slow),  # discrete actions
        pytest.param("ppo", "CartPoleSign", 1500, RL2, 1e-3, marks=slow),
        # Only two updates, because conjugate gradients in single precision amplify rounding errors: the weights differ
        # by 1e-6 after the first update and by 4e-3 after the second.
        pytest.param("maml", "CartPoleSign", 300, MAML, 1e-2, marks=slow),
        pytest.param("reptile", "CartPoleSign", 1000, MAML, 1e-3, marks=slow),
        pytest.param("e-maml", "CartPoleSign", 1000, [*MAML, "--baseline", "value"], 1e-3, marks=slow),
        pytest.param("meta-sgd", "CartPoleSign", 1000, MAML, 1e-3, marks=slow),
    ],
)
def test_two_processes_equal_one(
    launch: Callable[..., Launched],
    tmp_path: Path,
    agent: str,
    distribution: str,
    steps: int,
    settings: list[str],
    tolerance: float,
) -> None:
    assert main(train(tmp_path / "one", agent, distribution, steps, settings)) == 0
    both = launch(train(tmp_path / "two", agent, distribution, steps, settings))
    assert both.end() == [0, 0], both.texts()
    assert len(read_table(tmp_path / "one" / "metrics.csv")["update"]) > 1
    assert_close(tmp_path / "one", tmp_path / "two", tolerance)
    assert "trained; the run is in" in both.texts()[0]
    assert both.texts()[1] == ""


@slow
def test_a_killed_process_ends_the_run_and_the_checkpoint_is_intact(
    launch: Callable[..., Launched], tmp_path: Path
) -> None:
    path = tmp_path / "run"
    both = launch(train(path, "rl2", "PointGoalSparse", 10**9, RL2, "--checkpoint-every", "1"))
    wait_for(path / "checkpoint.pt")
    os.kill(both.numbers[1], signal.SIGKILL)
    assert both.end() == [1, -signal.SIGKILL]
    assert "another process of this training has ended" in both.texts()[0]
    assert "--resume continues it" in both.texts()[0]
    assert "Traceback" not in both.texts()[0]
    updates = torch.load(path / "checkpoint.pt", weights_only=True)["updates"]
    steps = (updates + 1) * 720  # 6 trials of 3 episodes of 40 steps
    assert main(train(path, "rl2", "PointGoalSparse", steps, RL2, "--resume")) == 0
    assert read_table(path / "metrics.csv")["env_steps"][-1] == steps


@slow
def test_all_processes_stop_when_one_receives_a_signal(launch: Callable[..., Launched], tmp_path: Path) -> None:
    path = tmp_path / "run"
    both = launch(train(path, "rl2", "PointGoalSparse", 10**9, RL2, "--checkpoint-every", "1"))
    wait_for(path / "checkpoint.pt")
    os.kill(both.numbers[1], signal.SIGTERM)
    assert both.end() == [130, 0]
    assert "all is saved" in both.texts()[0]
    updates = torch.load(path / "checkpoint.pt", weights_only=True)["updates"]
    assert len(read_table(path / "metrics.csv")["update"]) == updates


@slow
def test_a_run_is_resumed_with_another_number_of_processes(launch: Callable[..., Launched], tmp_path: Path) -> None:
    arguments = [train(tmp_path / name, "rl2", "PointGoalSparse", 3 * 720, RL2) for name in ("one", "many")]
    assert main(arguments[0]) == 0
    assert main([*arguments[1], "--steps", "720"]) == 0
    three = launch([*arguments[1], "--resume"], processes=3)
    assert three.end() == [0, 0, 0], three.texts()
    assert_close(tmp_path / "one", tmp_path / "many", 1e-3)
    assert json.loads((tmp_path / "many" / "config.json").read_text())["processes"] == 3


def wait_for(path: Path) -> None:
    start = time.monotonic()
    while not path.exists():
        assert time.monotonic() - start < 120, "no checkpoint"
        time.sleep(0.01)


# In one process -------------------------------------------------------------------------------------------------------


def test_the_number_of_rows_must_be_a_multiple_of_the_number_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "_size", 4)
    with pytest.raises(metarl.MetarlError, match="num_envs 6 must be a multiple of the number of processes, 4"):
        distributed.shard("num_envs", 6)


def test_local_rows_of_all_shards_are_the_rows_of_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    index, rows = torch.randperm(12, generator=torch.Generator().manual_seed(0)), torch.arange(12) * 7
    monkeypatch.setattr(distributed, "_size", 3)
    local_rows, keys = [], []
    for rank in range(3):
        monkeypatch.setattr(distributed, "_rank", rank)
        shard = distributed.shard("num_envs", 12)
        local, weight = shard.local(index)
        assert weight == 1
        local_rows += rows[shard.rows][local].tolist()
        keys += shard.keys("cpu").tolist()
    assert sorted(local_rows) == rows.tolist()
    assert keys == list(range(12))
    first = Shard(0, 4, 12).local(torch.tensor([8, 9]))  # rows of another shard only
    assert (first[0].tolist(), first[1]) == ([0], 0)


@pytest.mark.parametrize("sampler", ["normal", "exponential"])
def test_noise_of_the_shards_equals_noise_of_one_process(sampler: str) -> None:
    def draw(shard: Shard | None, rows: int) -> torch.Tensor:
        noise = ActionNoise(torch.Generator().manual_seed(3), shard)
        return torch.stack([getattr(noise, sampler)(torch.empty(rows, 5)) for _ in range(2)])

    parts = [draw(Shard(2 * i, 2 * i + 2, 6), 2) for i in range(3)]
    assert torch.equal(torch.cat(parts, 1), draw(None, 6))


def test_a_learner_that_is_not_data_parallel_is_refused(
    tiny: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def learner(*_: Any) -> Any:
        return type("Alone", (Learner,), dict.fromkeys(Learner.__abstractmethods__))()

    monkeypatch.setattr(distributed, "size", lambda: 2)
    agent_type = AgentType("alone", metarl.agents.ppo.presets.RL2.settings, learner, lambda *_: None)  # type: ignore[arg-type]
    with pytest.raises(metarl.MetarlError, match="'alone' learns in one process: start it without torchrun"):
        tiny(tmp_path / "run", agent_type)
    assert not (tmp_path / "run").exists()
