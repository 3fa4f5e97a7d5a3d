"""Single tasks learned from nothing by stable-baselines3, beside agents that adapt."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import metarl
from metarl.benchmarks.commands.benchmark import begin, enter
from metarl.benchmarks.commands.verify import VerifyOptions, verify
from metarl.benchmarks.job.folder import Folder, RunKey
from metarl.benchmarks.job.scratch import Learned, learn
from metarl.benchmarks.report.document import document
from metarl.benchmarks.report.figures import figures
from metarl.benchmarks.report.scratch import reached
from metarl.benchmarks.report.sentences import verdicts
from metarl.benchmarks.report.tables import saved
from metarl.benchmarks.results.load_results import checked, collect
from metarl.benchmarks.suites import suite as suites
from metarl.benchmarks.suites.method import Method
from metarl.benchmarks.suites.scratch import Scratch
from metarl.benchmarks.suites.suite import EvalSet, SuiteEntry

NAME, WHERE = "PPO from scratch", "PointGoalSparse"
CELL = RunKey(WHERE, NAME, 0)
ALONE = {
    "agent": "stable_baselines3:PPO", "scratch": True, "control": True,
    "settings": {"n_steps": 40, "batch_size": 80, "n_epochs": 1},
}  # fmt: skip
SIZE = {"steps": 640, "tasks": 2, "marks": 2, "replicates": 3, "num_envs": 4}


@pytest.fixture(scope="session")
def learned(
    job: Callable[..., Folder], suite_file: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Folder:
    """The tiny suite with somebody who learns two of its tasks alone. Not to be changed."""
    at = tmp_path_factory.mktemp("learned")
    return job(with_scratch(suite_file, at), at / "out", seeds=1)


def with_scratch(suite_file: Callable[..., Path], at: Path, **size: Any) -> Path:
    tiny = json.loads(suite_file(at).read_text())
    return suite_file(
        at, controls=["random", "oracle", NAME], methods=tiny["methods"] | {NAME: ALONE},
        distributions=[tiny["distributions"][0] | {"scratch": SIZE | size}],
    )  # fmt: skip


def test_each_task_is_learned_alone_and_tested_at_every_mark(learned: Folder) -> None:
    found = checked(learned, CELL)
    lived = found.eval_sets["scratch"]
    assert lived.reward.shape == (3, 40, 2, 3)  # before, and at two marks; H; tasks; replicates
    assert (lived.steps == 40).all()
    assert found.meta["training"]["marks"] == [0, 320, 640]
    assert found.meta["training"]["env_steps"] == 2 * 640
    tasks = learned.tasks(learned.suite.entries[0], "test")
    assert lived.hash == tasks[:2].hash
    assert not np.array_equal(lived.reward[0], lived.reward[2])


def test_who_is_interrupted_begins_one_task_anew(learned: Folder, tmp_path: Path) -> None:
    entry = learned.suite.entries[0]
    tasks, method = learned.tasks(entry, "scratch"), learned.methods[NAME]
    run = learned.run_dir(CELL)
    for file in run.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "task-1.npz").unlink()
    before = (tmp_path / "task-0.npz").stat().st_mtime_ns
    curves = learn(method, entry, tasks, 0, tmp_path)
    assert (tmp_path / "task-0.npz").stat().st_mtime_ns == before
    was = checked(learned, CELL).eval_sets["scratch"].reward
    assert np.array_equal(curves.lives.reward, was)  # one seed, one result


def test_the_report_draws_it_beside_the_agents_and_ranks_it_nowhere(learned: Folder) -> None:
    data = json.loads(json.dumps(document(collect([learned.path]))))
    d = data["distributions"][0]
    assert NAME not in d["methods"]
    assert all(row["method"] != NAME for row in data["headline"])
    assert d["scratch"]["learned"][NAME]["x"] == [0, 320, 640]
    lives = checked(learned, RunKey(WHERE, "rl2", 0)).eval_sets["test"]
    first_two = lives.returns[:, :2].mean((1, 2))
    assert d["scratch"]["adapting"]["rl2"]["mean"] == pytest.approx(first_two.tolist())
    assert d["scratch"]["adapting"]["rl2"]["x"] == [40, 80]
    assert f"{WHERE}-scratch" in [name for name, *_ in figures(data)]
    assert saved(d).rows[0][0] == "rl2"
    assert any(NAME in line for line in verdicts(data, d))


def test_what_is_spared_is_read_off_the_curve() -> None:
    marks, returns = [0, 100, 200, 300], [0.0, 5.0, 4.0, 9.0]
    assert [reached(marks, returns, level) for level in (-1.0, 5.0, 6.0, 9.5)] == [0, 100, 300, None]


def test_an_algorithm_acts_by_its_mean_on_what_it_has_normalised(learned: Folder) -> None:
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import VecNormalize

    from metarl.gym_api.sb3 import StableVecEnv

    env = VecNormalize(StableVecEnv(WHERE, 2))
    model = PPO("MlpPolicy", env, n_steps=4, batch_size=8, seed=0, device="cpu")
    env.obs_rms.mean[:] = 1.0  # pyright: ignore[reportAttributeAccessIssue]
    obs = torch.ones(3, *env.observation_space.shape)  # pyright: ignore[reportGeneralTypeIssues]
    expected, _ = model.predict(np.zeros_like(obs.numpy()), deterministic=True)
    np.testing.assert_allclose(Learned(model).act(obs).numpy(), expected, rtol=1e-6)
    env.close()


@pytest.mark.slow
def test_ppo_finds_one_place_within_a_hundred_thousand_steps(tmp_path: Path) -> None:
    settings = {"n_steps": 40, "batch_size": 256, "learning_rate": 1e-3, "gamma": 0.99}
    method = Method(NAME, "stable_baselines3:PPO", settings=settings, scratch=True)
    how = Scratch(steps=100_000, tasks=1, marks=4)
    entry = SuiteEntry(WHERE, {"test": EvalSet(1)}, {"default": 1}, scratch=how)
    tasks = entry.distribution.tasks("test", 1, seed=0)
    returns = learn(method, entry, tasks, 0, tmp_path).lives.by_episode()
    assert returns[0] < 2.0
    assert returns[-1] > 20.0


# What is refused ------------------------------------------------------------------------------------------------------


def test_mistakes_are_told(suite_file: Callable[..., Path], learned: Folder, tmp_path: Path) -> None:
    with pytest.raises(metarl.MetarlError, match="6 tasks to learn from scratch, of 5 in the eval set"):
        suites.load(str(with_scratch(suite_file, tmp_path, tasks=6)))
    suite = suites.load(str(with_scratch(suite_file, tmp_path)))
    strange = {**suite.methods, NAME: Method(NAME, "stable_baselines3:PPOO", scratch=True)}
    with pytest.raises(metarl.MetarlError, match="no algorithm 'stable_baselines3:PPOO'"):
        enter(suites.Suite(suite.name, suite.entries, strange, controls=suite.controls, agents=suite.agents), ())
    with pytest.raises(metarl.MetarlError, match="leaves no checkpoint: name another --method"):
        verify(VerifyOptions(str(learned.path), method=NAME))


def test_an_algorithm_that_raises_fails_its_own_cell(
    job: Callable[..., Folder], suite_file: Callable[..., Path], tmp_path: Path
) -> None:
    path = with_scratch(suite_file, tmp_path, settings={"n_steps": "many"})
    folder = begin(suites.load(str(path)), enter(suites.load(str(path)), ()), 1, str(tmp_path / "out"))
    folder = job(path, folder.path, seeds=1)
    results = collect([folder.path])
    assert list(results.failures) == [CELL]
    assert results.present(folder.suite.entries[0]) == ["rl2", "random", "oracle", "rl2, memory wiped"]
