"""Jobs of a benchmark: the plan, evaluations, continuation, and failures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import metarl
from metarl.benchmarks.commands.benchmark import BenchmarkOptions, begin, suite_methods
from metarl.benchmarks.job.benchmark_folder import BenchmarkFolder, RunKey
from metarl.benchmarks.job.job import jobs, run_job
from metarl.benchmarks.results.load_results import load_eval, load_results
from metarl.benchmarks.suites import suite as suites
from metarl.cli.main import main
from metarl.training import eval_file, evaluate

RunBenchmark = Callable[..., BenchmarkFolder]
SuiteFile = Callable[..., Path]
FIRST = RunKey("PointGoalSparse", "rl2", 0)


def write_times(folder: BenchmarkFolder) -> dict[str, int]:
    """Return the time at which each result file was written."""
    return {str(p): p.stat().st_mtime_ns for p in folder.path.rglob("*") if p.name in ("eval.npz", "checkpoint.pt")}


# Plan and evaluations -------------------------------------------------------------------------------------------------


def test_every_run_key_is_evaluated_on_all_episodes_tasks_and_replicates(finished: BenchmarkFolder) -> None:
    run_keys = list(finished.run_keys())
    assert len(run_keys) == 3 * 2 + 1  # rl2, rl2 with its memory wiped and oracle with 2 seeds each; random has one
    assert all(finished.finished(run_key) for run_key in run_keys)
    evaluation = load_eval(finished, FIRST)
    assert {name: saved.reward.shape for name, saved in evaluation.eval_sets.items()} == {
        "test": (2, 40, 5, 2), "ood": (2, 40, 3, 2), "long": (4, 40, 2, 1),
    }  # fmt: skip
    assert (evaluation.eval_sets["test"].steps == 40).all()
    assert evaluation.meta["training"]["env_steps"] == 960
    assert list(jobs(finished)) == []


def test_evaluation_equals_that_of_the_loaded_agent_on_the_frozen_tasks(finished: BenchmarkFolder) -> None:
    run = finished.run_dir(FIRST)
    entry = finished.suite.entry("PointGoalSparse")
    tasks = finished.tasks(entry, "test")
    assert tasks == metarl.get("PointGoalSparse").tasks("test", 5, seed=0)
    env = entry.distribution.make(10)
    result = evaluate.evaluate_agent(metarl.load(run), env, tasks, 2)
    assert np.array_equal(load_eval(finished, FIRST).eval_sets["test"].reward, result.reward)
    wiped = evaluate.evaluate_agent(metarl.load(run, wipe_memory=True), env, tasks, 2)
    saved = load_eval(finished, RunKey("PointGoalSparse", "rl2, memory wiped", 0)).eval_sets["test"]
    assert np.array_equal(saved.reward, wiped.reward)


def test_finished_run_keys_are_kept_when_agents_and_seeds_are_added(
    run_benchmark: RunBenchmark, suite_file: SuiteFile, tmp_path: Path
) -> None:
    path = suite_file(tmp_path)
    before = write_times(run_benchmark(path, tmp_path / "out", seeds=1))
    extended = run_benchmark(path, tmp_path / "out", agents=("rl2", "ppo"), seeds=2)
    after = write_times(extended)
    assert before.items() <= after.items()
    assert extended.finished(RunKey("PointGoalSparse", "ppo", 1))
    assert write_times(run_benchmark(path, tmp_path / "out", seeds=1)) == after  # fewer agents and seeds: all are kept
    assert BenchmarkFolder.open(tmp_path / "out").plan["seeds"] == 2


def test_missing_evaluation_is_repeated_from_the_checkpoint_without_training(
    run_benchmark: RunBenchmark, suite_file: SuiteFile, tmp_path: Path
) -> None:
    folder = run_benchmark(suite_file(tmp_path), tmp_path / "out", seeds=1)
    reward = load_eval(folder, FIRST).eval_sets["test"].reward
    rows = (folder.run_dir(FIRST) / "metrics.csv").read_bytes()
    (folder.at(FIRST) / "eval.npz").unlink()
    again = run_benchmark(suite_file(tmp_path), tmp_path / "out", seeds=1)
    assert np.array_equal(load_eval(again, FIRST).eval_sets["test"].reward, reward)
    assert (again.run_dir(FIRST) / "metrics.csv").read_bytes() == rows


# Failures -------------------------------------------------------------------------------------------------------------

BAD = '''
from dataclasses import dataclass
import torch
from metarl.core.agent import AgentType

@dataclass(frozen=True)
class Settings:
    """None."""

class Bad:
    def __init__(self, raises): self.raises = raises
    def begin(self, num_envs): self.n = num_envs
    def act(self, obs):
        if self.raises:
            raise ZeroDivisionError("in act")
        return torch.full((self.n, 2), float("nan"))
    def observe(self, step): pass

RAISES = AgentType("raises", Settings, None, lambda *_: Bad(True))
NAN = AgentType("nan", Settings, None, lambda *_: Bad(False))
'''


def test_agent_that_raises_or_acts_with_nan_fails_without_affecting_others(
    run_benchmark: RunBenchmark, suite_file: SuiteFile, tmp_path: Path
) -> None:
    (tmp_path / "bad.py").write_text(BAD)
    agents = (f"{tmp_path}/bad.py:RAISES", f"{tmp_path}/bad.py:NAN", "rl2")
    folder = run_benchmark(suite_file(tmp_path), tmp_path / "out", agents, seeds=1)
    results = load_results([folder.path])
    assert {run_key.method: reason for run_key, reason in results.failures.items()} == {
        "raises": "ZeroDivisionError: in act",
        "nan": "MetarlError: NaN action in environments [0, 1, 2, 3, 4]: the agent cannot be evaluated",
    }
    assert results.present(folder.suite.entries[0]) == ["rl2", "random", "oracle", "rl2, memory wiped"]
    assert not results.unfinished


def test_unfinished_run_key_is_listed(suite_file: SuiteFile, tmp_path: Path) -> None:
    suite = suites.load(str(suite_file(tmp_path)))
    folder = begin(suite, suite_methods(suite, ()), 1, str(tmp_path / "out"))
    for job in jobs(folder):
        if job.owner != "oracle":
            run_job(folder, job, "cpu")
    results = load_results([folder.path])
    assert results.unfinished == [RunKey("PointGoalSparse", "oracle", 0)]
    assert "has no scores, only returns: 'random' and 'oracle' must both have finished" in results.warnings[0]


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-300]), "is damaged"),
        (lambda file: file.write_bytes(b"not a zip"), "is damaged"),
        (lambda file: np.savez(file, reward=np.zeros(3)), "is of another program or of an older metarl"),
        (lambda file: np.savez(file, meta=np.array('{"format": "x"}')), "is 'x', version None"),
    ],
)
def test_damaged_or_foreign_eval_file_is_refused_with_its_path(
    finished: BenchmarkFolder, tmp_path: Path, harm: Callable[[Path], None], message: str
) -> None:
    file = tmp_path / "eval.npz"
    file.write_bytes((finished.at(FIRST) / "eval.npz").read_bytes())
    harm(file)
    with pytest.raises(metarl.MetarlError, match=message):
        eval_file.read(file)


def test_eval_file_of_metarl_evaluate_is_refused(
    run_benchmark: RunBenchmark, suite_file: SuiteFile, tmp_path: Path
) -> None:
    folder = run_benchmark(suite_file(tmp_path), tmp_path / "out", seeds=1)
    metarl.evaluate(folder.run_dir(FIRST), "test", tasks=2, out=folder.at(FIRST))
    with pytest.raises(metarl.MetarlError, match=r"is not of a benchmark but of `metarl evaluate`: delete it"):
        load_results([folder.path])


def test_eval_file_in_the_folder_of_another_run_key_is_refused(
    run_benchmark: RunBenchmark, suite_file: SuiteFile, tmp_path: Path
) -> None:
    folder = run_benchmark(suite_file(tmp_path), tmp_path / "out")
    other = folder.at(RunKey("PointGoalSparse", "rl2", 1)) / "eval.npz"
    other.write_bytes((folder.at(FIRST) / "eval.npz").read_bytes())
    with pytest.raises(metarl.MetarlError, match=r"is of rl2 on PointGoalSparse, seed 0, not of .* seed 1"):
        load_results([folder.path])


# Mistakes -------------------------------------------------------------------------------------------------------------


def test_folder_of_another_suite_is_refused(suite_file: SuiteFile, finished: BenchmarkFolder, tmp_path: Path) -> None:
    longer = suites.load(str(suite_file(tmp_path, seeds=7)))
    with pytest.raises(metarl.MetarlError, match=r"begun with another suite \(they differ in seeds: 2 there, 7 here\)"):
        begin(longer, suite_methods(longer, ()), 2, str(finished.path))


def test_folder_that_is_no_benchmark_is_refused_and_not_written_to(suite_file: SuiteFile, tmp_path: Path) -> None:
    suite = suites.load(str(suite_file(tmp_path)))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("all of it")
    with pytest.raises(metarl.MetarlError, match=r"is no benchmark's folder \(it has no benchmark.json\)"):
        begin(suite, suite_methods(suite, ()), 1, str(tmp_path / "out"))
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"agents": ["rl3"]}, "unknown method, named in agents, 'rl3'; did you mean 'rl2'"),
        ({"seed": 3}, "unknown key of a suite 'seed'; did you mean 'seeds'"),
        (
            {"distributions": [{"name": "PointGoalSparse", "steps": 0, "eval_sets": {"test": {"tasks": 2}}}]},
            "steps of def",
        ),
        (
            {"distributions": [{"name": "X", "steps": 1, "eval_sets": {"exam": {"tasks": 2}}}]},
            "unknown eval set of X 'exam'",
        ),
        ({"distributions": [{"name": "X", "steps": 1, "eval_sets": {}}]}, "X has no eval set"),
        ({"distributions": [{"name": "X", "step": 1}]}, "cannot be read"),
        (
            {"distributions": [{"name": "X", "steps": 1, "eval_sets": {"test": {"tasks": 0}}}]},
            "tasks must be a whole numb",
        ),
    ],
)
def test_suite_file_with_a_mistake_is_refused(
    suite_file: SuiteFile, tmp_path: Path, changes: dict, message: str
) -> None:
    with pytest.raises(metarl.MetarlError, match=message):
        suites.load(str(suite_file(tmp_path, **changes)))


def test_command_with_a_mistake_is_refused(suite_file: SuiteFile, tmp_path: Path) -> None:
    suite = suites.load(str(suite_file(tmp_path)))
    with pytest.raises(metarl.MetarlError, match="unknown agent 'rl9'"):
        suite_methods(suite, ("rl9",))
    with pytest.raises(metarl.MetarlError, match="two agents are named 'rl2'"):
        suite_methods(suite, ("rl2", "rl2"))
    with pytest.raises(metarl.MetarlError, match="seeds must be a whole number of at least 1, got 0"):
        BenchmarkOptions("quick", seeds=0)
    for name in ("quik", "nowhere.json"):
        with pytest.raises(metarl.MetarlError, match=r"unknown suite .*did you mean 'quick'|there is no suite file"):
            suites.load(name)


# Processes ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_killed_benchmark_that_is_repeated_has_the_same_results(
    suite_file: SuiteFile, finished: BenchmarkFolder, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    call = ["benchmark", str(suite_file(tmp_path)), "--out", str(out)]
    line = f"import sys; from metarl.cli.main import main; sys.exit(main({call}))"
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", line], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        done = len(list(out.rglob("eval.npz")))
        while len(list(out.rglob("eval.npz"))) <= done and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert subprocess.run([sys.executable, "-c", line], check=False, capture_output=True).returncode == 0
    assert (out / "report.html").exists()
    again = BenchmarkFolder.open(out)
    for run_key in again.run_keys():
        resumed, uninterrupted = (load_eval(f, run_key).eval_sets["test"].reward for f in (again, finished))
        assert np.array_equal(resumed, uninterrupted)


@pytest.mark.slow
def test_process_that_dies_fails_its_own_job_only(suite_file: SuiteFile, tmp_path: Path) -> None:
    (tmp_path / "dies.py").write_text(BAD.replace('raise ZeroDivisionError("in act")', "import os; os._exit(9)"))
    options = [str(suite_file(tmp_path)), "--out", str(tmp_path / "out"), "--seeds", "1", "--processes", "1"]
    assert main(["benchmark", *options, "--agents", f"{tmp_path}/dies.py:RAISES"]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["failures"] == [
        {"run_key": "raises on PointGoalSparse, seed 0", "reason": "its process ended with status 9"}
    ]
    assert report["headline"]
    assert os.path.getsize(tmp_path / "out" / "report.html") > 10_000


def test_bayes_optimal_method_is_evaluated_on_the_entries_that_name_it_only(
    suite_file: SuiteFile, tmp_path: Path
) -> None:
    tiny = json.loads(suite_file(tmp_path).read_text())
    (entry,) = tiny["distributions"]
    methods = tiny["methods"] | {"gittins": {"agent": "gittins", "control": True}}
    bandit = {
        "steps": entry["steps"], "name": "Bandit5N10", "bayes_optimal": "gittins", "eval_sets": {"test": {"tasks": 2}},
    }  # fmt: skip
    suite = suites.load(str(suite_file(tmp_path, methods=methods, distributions=[entry, bandit])))
    folder = begin(suite, suite_methods(suite, ()), 1, str(tmp_path / "out"))
    assert {run_key.entry for run_key in folder.run_keys() if run_key.method == "gittins"} == {"Bandit5N10"}
