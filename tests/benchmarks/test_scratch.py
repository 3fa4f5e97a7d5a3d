"""Learning of single tasks from scratch by stable-baselines3, beside agents that adapt."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import metarl
from metarl.benchmarks.commands.benchmark import suite_methods
from metarl.benchmarks.commands.verify import VerifyOptions, verify
from metarl.benchmarks.job.benchmark_folder import BenchmarkFolder, RunKey
from metarl.benchmarks.job.learn_from_scratch import AlgorithmAgent, learn
from metarl.benchmarks.report.document import document
from metarl.benchmarks.report.figures import figures
from metarl.benchmarks.report.scratch_section import steps_to_return
from metarl.benchmarks.report.sentences import verdicts
from metarl.benchmarks.report.tables import savings
from metarl.benchmarks.results.load_results import load_eval, load_results
from metarl.benchmarks.suites import suite as suites
from metarl.benchmarks.suites.method import Method
from metarl.benchmarks.suites.scratch_settings import ScratchSettings
from metarl.benchmarks.suites.suite import EvalSet, SuiteEntry

NAME, WHERE = "PPO from scratch", "PointGoalSparse"
KEY = RunKey(WHERE, NAME, 0)
METHOD = {
    "agent": "stable_baselines3:PPO", "scratch": True, "control": True,
    "settings": {"n_steps": 40, "batch_size": 80, "n_epochs": 1},
}  # fmt: skip
SIZE = {"steps": 640, "tasks": 2, "marks": 2, "replicates": 3, "num_envs": 4}


@pytest.fixture(scope="session")
def learned(
    run_benchmark: Callable[..., BenchmarkFolder],
    suite_file: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> BenchmarkFolder:
    """A finished benchmark in which a method has learned two tasks from scratch. Not to be changed."""
    folder = tmp_path_factory.mktemp("learned")
    return run_benchmark(with_scratch(suite_file, folder), folder / "out", seeds=1)


def with_scratch(suite_file: Callable[..., Path], folder: Path, **size: Any) -> Path:
    """Write the tiny suite with a method that learns from scratch."""
    tiny = json.loads(suite_file(folder).read_text())
    return suite_file(
        folder, controls=["random", "oracle", NAME], methods=tiny["methods"] | {NAME: METHOD},
        distributions=[tiny["distributions"][0] | {"scratch": SIZE | size}],
    )  # fmt: skip


def test_each_task_is_learned_alone_and_tested_at_every_mark(learned: BenchmarkFolder) -> None:
    evaluation = load_eval(learned, KEY)
    saved = evaluation.eval_sets["scratch"]
    assert saved.reward.shape == (3, 40, 2, 3)  # tests (one before the training, two marks), H, tasks, replicates
    assert (saved.steps == 40).all()
    assert evaluation.meta["training"]["marks"] == [0, 320, 640]
    assert evaluation.meta["training"]["env_steps"] == 2 * 640
    tasks = learned.tasks(learned.suite.entries[0], "test")
    assert saved.hash == tasks[:2].hash
    assert not np.array_equal(saved.reward[0], saved.reward[2])


def test_interrupted_learning_repeats_unfinished_tasks_only(learned: BenchmarkFolder, tmp_path: Path) -> None:
    entry = learned.suite.entries[0]
    tasks, method = learned.tasks(entry, "scratch"), learned.methods[NAME]
    run = learned.run_dir(KEY)
    for file in run.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "task-1.npz").unlink()
    before = (tmp_path / "task-0.npz").stat().st_mtime_ns
    curves = learn(method, entry, tasks, 0, tmp_path)
    assert (tmp_path / "task-0.npz").stat().st_mtime_ns == before
    reward = load_eval(learned, KEY).eval_sets["scratch"].reward
    assert np.array_equal(curves.result.reward, reward)  # the same seed has the same result


def test_report_draws_a_method_from_scratch_beside_agents_and_does_not_rank_it(learned: BenchmarkFolder) -> None:
    data = json.loads(json.dumps(document(load_results([learned.path]))))
    d = data["distributions"][0]
    assert NAME not in d["methods"]
    assert all(row["method"] != NAME for row in data["headline"])
    assert d["scratch"]["learned"][NAME]["x"] == [0, 320, 640]
    evaluation = load_eval(learned, RunKey(WHERE, "rl2", 0)).eval_sets["test"]
    first_two = evaluation.returns[:, :2].mean((1, 2))
    assert d["scratch"]["adapting"]["rl2"]["mean"] == pytest.approx(first_two.tolist())
    assert d["scratch"]["adapting"]["rl2"]["x"] == [40, 80]
    assert f"{WHERE}-scratch" in [name for name, *_ in figures(data)]
    assert savings(d).rows[0][0] == "rl2"
    assert any(NAME in line for line in verdicts(data, d))


def test_steps_to_return_is_the_first_mark_that_reaches_it() -> None:
    marks, returns = [0, 100, 200, 300], [0.0, 5.0, 4.0, 9.0]
    assert [steps_to_return(marks, returns, level) for level in (-1.0, 5.0, 6.0, 9.5)] == [0, 100, 300, None]


def test_algorithm_agent_acts_by_the_mean_on_normalised_observations(learned: BenchmarkFolder) -> None:
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import VecNormalize

    from metarl.gym_api.sb3 import StableVecEnv

    env = VecNormalize(StableVecEnv(WHERE, 2))
    model = PPO("MlpPolicy", env, n_steps=4, batch_size=8, seed=0, device="cpu")
    env.obs_rms.mean[:] = 1.0  # pyright: ignore[reportAttributeAccessIssue]
    obs = torch.ones(3, *env.observation_space.shape)  # pyright: ignore[reportGeneralTypeIssues]
    expected, _ = model.predict(np.zeros_like(obs.numpy()), deterministic=True)
    np.testing.assert_allclose(AlgorithmAgent(model).act(obs).numpy(), expected, rtol=1e-6)
    env.close()


@pytest.mark.slow
def test_ppo_reaches_one_goal_within_a_hundred_thousand_steps(tmp_path: Path) -> None:
    settings = {"n_steps": 40, "batch_size": 256, "learning_rate": 1e-3, "gamma": 0.99}
    method = Method(NAME, "stable_baselines3:PPO", settings=settings, scratch=True)
    scratch = ScratchSettings(steps=100_000, tasks=1, marks=4)
    entry = SuiteEntry(WHERE, {"test": EvalSet(1)}, {"default": 1}, scratch=scratch)
    tasks = entry.distribution.tasks("test", 1, seed=0)
    returns = learn(method, entry, tasks, 0, tmp_path).result.by_episode()
    assert returns[0] < 2.0
    assert returns[-1] > 20.0


# Mistakes -------------------------------------------------------------------------------------------------------------


def test_too_many_tasks_an_unknown_algorithm_and_verification_are_refused(
    suite_file: Callable[..., Path], learned: BenchmarkFolder, tmp_path: Path
) -> None:
    with pytest.raises(metarl.MetarlError, match="6 tasks to learn from scratch, of 5 in the eval set"):
        suites.load(str(with_scratch(suite_file, tmp_path, tasks=6)))
    suite = suites.load(str(with_scratch(suite_file, tmp_path)))
    methods = {**suite.methods, NAME: Method(NAME, "stable_baselines3:PPOO", scratch=True)}
    with pytest.raises(metarl.MetarlError, match="no algorithm 'stable_baselines3:PPOO'"):
        suite_methods(replace(suite, methods=methods), ())
    with pytest.raises(metarl.MetarlError, match="leaves no checkpoint: name another --method"):
        verify(VerifyOptions(str(learned.path), method=NAME))


def test_algorithm_that_raises_fails_its_own_run_key_only(
    run_benchmark: Callable[..., BenchmarkFolder], suite_file: Callable[..., Path], tmp_path: Path
) -> None:
    path = with_scratch(suite_file, tmp_path, settings={"n_steps": "many"})
    folder = run_benchmark(path, tmp_path / "out", seeds=1)
    results = load_results([folder.path])
    assert list(results.failures) == [KEY]
    assert results.present(folder.suite.entries[0]) == ["rl2", "random", "oracle", "rl2, memory wiped"]
