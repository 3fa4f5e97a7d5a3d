"""Runs with the same seed are equal bit for bit, and a run that is killed and resumed equals an uninterrupted one."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch

import metarl
from metarl.agents.ppo.learner import PPOLearner
from metarl.training import run_dir as run_module
from metarl.training.run_dir import read_table
from metarl.training.train import Interrupted

Train = Callable[..., Path]
Same = Callable[[Path, Path], None]
UPDATE = 480


def test_the_same_seed_gives_the_same_run(tiny: Train, whole: Path, assert_same: Same, tmp_path: Path) -> None:
    torch.manual_seed(1)  # the state of the global generator does not matter
    assert_same(tiny(tmp_path / "again"), whole)


def test_another_seed_gives_another_run(tiny: Train, whole: Path, tmp_path: Path) -> None:
    other = tiny(tmp_path / "other", seed=1)
    assert (other / "metrics.csv").read_bytes() != (whole / "metrics.csv").read_bytes()


def test_training_does_not_use_the_global_generator(tiny: Train, tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    tiny(tmp_path / "run", steps=UPDATE)
    assert torch.equal(torch.get_rng_state(), before)


def test_metrics_have_one_row_per_update(whole: Path) -> None:
    metrics = read_table(whole / "metrics.csv")
    assert metrics["update"] == list(range(6))
    assert metrics["env_steps"] == [UPDATE * (i + 1) for i in range(6)]
    assert [value == value for value in metrics["valid_last"]] == [False, False, True, False, False, True]


@pytest.mark.parametrize("first", [UPDATE, 2 * UPDATE, 3 * UPDATE, 2 * UPDATE + 1])
def test_a_run_trained_further_equals_one_trained_at_once(
    tiny: Train, whole: Path, assert_same: Same, tmp_path: Path, first: int
) -> None:
    path = tiny(tmp_path / "run", steps=first)
    assert_same(tiny(path, resume=True), whole)


def test_resuming_a_finished_run_changes_nothing(tiny: Train, whole: Path, assert_same: Same, tmp_path: Path) -> None:
    path = Path(shutil.copytree(whole, tmp_path / "run"))
    assert_same(tiny(path, resume=True), whole)


def test_the_checkpoint_interval_changes_nothing(tiny: Train, whole: Path, assert_same: Same, tmp_path: Path) -> None:
    assert_same(tiny(tmp_path / "run", checkpoint_every=1), whole)


def test_evaluations_during_training_change_nothing(tiny: Train, whole: Path, tmp_path: Path) -> None:
    never = tiny(tmp_path / "run", evaluate_every=0)
    left, right = read_table(never / "metrics.csv"), read_table(whole / "metrics.csv")
    trained = [name for name in left if not name.startswith("valid")]
    assert {name: left[name] for name in trained} == {name: right[name] for name in trained}


# Kills ----------------------------------------------------------------------------------------------------------------

SERVER = """
import json, os, signal, sys
import mujoco, torch.utils.tensorboard
import metarl, metarl.training.train
from metarl.training import run_dir
from metarl.agents.ppo.learner import PPOLearner

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def train(path, sabotage):
    exec(sabotage, globals())
    metarl.train(
        "rl2", "PointGoalSparse", run_dir=path, resume=True, steps=2880, checkpoint_every=960, evaluate_every=1440,
        threads=1, settings=dict(num_envs=4, minibatches=2, epochs=2, hidden_size=8, head_size=8),
    )

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        train(*json.loads(line))
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""  # imports once; each line of input, [run_dir, sabotage], starts a process; prints its id, then its exit status
IN_THE_CONFIG = """
def write(path, content):
    path.with_name(path.name + ".new").write_bytes(content[: len(content) // 2])
    die()
run_dir.write_atomically = write
"""
IN_AN_UPDATE = """
update = PPOLearner.update
def dies(self):
    metrics = update(self)
    return metrics if self.updates < {last} else die()
PPOLearner.update = dies
"""
IN_A_CHECKPOINT = """
whole = run_dir.write_atomically
def write(path, content):
    if path.name != "checkpoint.pt":
        return whole(path, content)
    path.with_name(path.name + ".new").write_bytes(content[: len(content) // 2])
    die()
run_dir.write_atomically = write
"""
AFTER_A_CHECKPOINT = """
save = run_dir.Run.save_checkpoint
def dies(self, state):
    save(self, state)
    die()
run_dir.Run.save_checkpoint = dies
"""
IN_A_ROW = """
append = run_dir.Table.append
def dies(self, row):
    append(self, row)
    if self.path.name == "metrics.csv" and row["update"] == 3:
        self._file.write(b"4,24")
        self._file.flush()
        die()
run_dir.Table.append = dies
"""


@pytest.fixture(scope="module")
def processes() -> Iterator[subprocess.Popen[str]]:
    """The server process, which starts a run for each line of input."""
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", SERVER], stdin=pipe, stdout=pipe, text=True, env=env) as server:
        yield server
        assert server.stdin is not None
        server.stdin.close()


def begin(processes: subprocess.Popen[str], path: Path, sabotage: str = "") -> int:
    """Train in a new process and return its id."""
    assert processes.stdin is not None
    assert processes.stdout is not None
    print(json.dumps([str(path), sabotage]), file=processes.stdin, flush=True)
    return int(processes.stdout.readline())


def end(processes: subprocess.Popen[str]) -> int:
    """Wait for the process and return its exit status, negative for a signal."""
    assert processes.stdout is not None
    return int(processes.stdout.readline())


def test_a_run_killed_at_every_stage_equals_an_uninterrupted_one(
    tiny: Train, whole: Path, assert_same: Same, tmp_path: Path, processes: subprocess.Popen[str]
) -> None:
    path = tmp_path / "run"

    def killed(sabotage: str) -> None:
        begin(processes, path, sabotage)
        assert end(processes) == -signal.SIGKILL

    killed(IN_THE_CONFIG)  # before the run exists
    assert [file.name for file in path.iterdir()] == ["config.json.new"]
    killed(IN_AN_UPDATE.replace("{last}", "2"))  # before the first checkpoint
    assert not (path / "checkpoint.pt").exists()
    killed(IN_A_CHECKPOINT)  # the first one
    assert not (path / "checkpoint.pt").exists()
    killed(AFTER_A_CHECKPOINT)
    killed(IN_A_ROW)  # half a row after the checkpoint
    assert (path / "metrics.csv").read_bytes().endswith(b"\n4,24")
    killed(IN_A_CHECKPOINT)  # the second one: the first is kept
    assert torch.load(path / "checkpoint.pt", weights_only=True)["updates"] == 2
    assert_same(tiny(path, resume=True), whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_a_run_killed_at_random_times_equals_an_uninterrupted_one(
    tiny: Train, whole: Path, assert_same: Same, tmp_path: Path, processes: subprocess.Popen[str], seed: int
) -> None:
    rng, path = random.Random(seed), tmp_path / "run"
    for _ in range(4):
        process = begin(processes, path)
        while not path.exists():
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 2))
        with suppress(ProcessLookupError):  # the process has finished
            os.kill(process, signal.SIGKILL)
        end(processes)
    assert_same(tiny(path, resume=True), whole)


def test_a_save_that_fails_keeps_the_last_checkpoint(
    tiny: Train, whole: Path, assert_same: Same, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves = []

    def full(path: Path, content: bytes) -> None:
        saves.append(path.name)
        if saves.count("checkpoint.pt") == 2:
            path.with_name(path.name + ".new").write_bytes(content[:1000])
            raise OSError(28, "No space left on device")
        write(path, content)

    write = run_module.write_atomically
    monkeypatch.setattr(run_module, "write_atomically", full)
    with pytest.raises(metarl.MetarlError, match="No space left on device; free some space"):
        tiny(tmp_path / "run")
    monkeypatch.undo()
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["updates"] == 2
    assert_same(tiny(tmp_path / "run", resume=True), whole)


# Ctrl-C ---------------------------------------------------------------------------------------------------------------


def test_ctrl_c_finishes_the_update_saves_and_names_resume(
    tiny: Train, whole: Path, assert_same: Same, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run"
    press(monkeypatch, signal.SIGINT, update=2)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted, match=r"stopped at 1,440 of 2,880 .* --resume continues"):
        tiny(path)
    monkeypatch.undo()
    assert signal.getsignal(signal.SIGINT) is handler
    assert torch.load(path / "checkpoint.pt", weights_only=True)["updates"] == 3
    assert_same(tiny(path, resume=True), whole)


def test_a_second_ctrl_c_stops_at_once_and_keeps_the_checkpoint(
    tiny: Train, whole: Path, assert_same: Same, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run"
    press(monkeypatch, signal.SIGINT, update=3, times=2)
    with pytest.raises(KeyboardInterrupt):
        tiny(path)
    monkeypatch.undo()
    assert torch.load(path / "checkpoint.pt", weights_only=True)["updates"] == 2
    assert_same(tiny(path, resume=True), whole)


def test_sigterm_saves_a_checkpoint(tiny: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    press(monkeypatch, signal.SIGTERM, update=0)
    with pytest.raises(Interrupted):
        tiny(tmp_path / "run")
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["updates"] == 1


def press(monkeypatch: pytest.MonkeyPatch, number: int, update: int, times: int = 1) -> None:
    """Send this process a signal at the start of update `update`, counted from 0."""
    original = PPOLearner.update

    def pressed(self: PPOLearner) -> dict[str, float]:
        if self.updates == update:
            for _ in range(times):
                os.kill(os.getpid(), number)
        return original(self)

    monkeypatch.setattr(PPOLearner, "update", pressed)
