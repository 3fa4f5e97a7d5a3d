"""Videos, verification of evaluations, frozen tasks and stored references."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import metarl
from metarl.benchmarks.commands import watch
from metarl.benchmarks.commands.benchmark import begin, suite_methods
from metarl.benchmarks.commands.references import store
from metarl.benchmarks.commands.verify import VerifyOptions, verify
from metarl.benchmarks.commands.watch import WatchOptions, compose, write_video
from metarl.benchmarks.job.benchmark_folder import BenchmarkFolder, RunKey
from metarl.benchmarks.job.job import jobs, run_job
from metarl.benchmarks.results import references
from metarl.benchmarks.results.load_results import REFERENCES, load_eval, load_results
from metarl.benchmarks.suites import suite as suites
from metarl.benchmarks.suites.frozen_tasks import freeze_tasks
from metarl.cli.main import main
from metarl.tasks.task_set import TaskSet
from metarl.training.evaluate import evaluate_agent

WHERE = "PointGoalSparse"


# Videos ---------------------------------------------------------------------------------------------------------------


class Still:
    """An agent that does not move."""

    def begin(self, num_envs: int) -> None:
        self.num_envs = num_envs

    def act(self, obs: torch.Tensor) -> torch.Tensor:
        return torch.full((self.num_envs,), 4)

    def observe(self, step: object) -> None:
        pass


def test_recorder_renders_every_state_of_the_chosen_episodes() -> None:
    distribution = metarl.get("GridNavi")
    env = distribution.make(1)
    recorder = watch.Recorder(Still(), env, [0, 3], 64)
    evaluate_agent(recorder, env, distribution.tasks("test", 1))
    assert {episode: len(pictures) for episode, pictures in recorder.pictures.items()} == {0: 15, 3: 15}
    assert all(np.array_equal(picture, recorder.pictures[0][0]) for picture in recorder.pictures[3])


def test_frames_show_episodes_side_by_side_with_the_return_so_far() -> None:
    blank = np.zeros((63, 301, 3), np.uint8)
    frames = compose("agent on task", {0: [blank + t for t in range(5)], 2: [blank + 9] * 3}, np.ones((3, 5)))
    assert frames.shape == (5, 104, 610, 3)
    assert frames[4, 60, 10, 0] == 4
    assert frames[4, 60, 400, 0] == 9
    assert (frames[:, :20] < 128).any()  # text
    assert not np.array_equal(frames[0, 20:40], frames[1, 20:40])  # it changes with the return
    assert np.array_equal(frames[3, 20:40, 305:], frames[4, 20:40, 305:])  # and no more when the episode is over


def test_gif_is_written_without_the_video_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    frames = np.zeros((4, 32, 32, 3), np.uint8)
    frames[:, 0, 0] = np.arange(4)[:, None] * 60
    assert write_video(tmp_path / "a.mp4", frames, 10).suffix == ".mp4"
    monkeypatch.setattr(watch, "find_spec", lambda name: None if name == "imageio_ffmpeg" else object())
    path = write_video(tmp_path / "b.mp4", frames, 10)
    assert path == tmp_path / "b.gif"
    assert "no imageio_ffmpeg here" in capsys.readouterr().out
    with Image.open(path) as gif:
        gif.seek(3)  # the last frame
        with pytest.raises(EOFError):
            gif.seek(4)


def test_watch_refuses_an_unknown_file_type_or_split(finished: BenchmarkFolder) -> None:
    with pytest.raises(metarl.MetarlError, match=r"out must end in .mp4 or .gif"):
        WatchOptions("run", out="film.avi")
    run = str(finished.run_dir(RunKey(WHERE, "rl2", 0)))
    with pytest.raises(metarl.MetarlError, match="unknown split 'exam'"):
        watch.watch(WatchOptions(run, split="exam"))


# Verification ---------------------------------------------------------------------------------------------------------


def test_repeated_evaluation_is_the_same_bit_for_bit(finished: BenchmarkFolder) -> None:
    line = verify(VerifyOptions(str(finished.path), task=3, seed=1))
    assert line == f"rl2 on {WHERE}, seed 1, test task 3: 2 trials of 2 episodes are the same, bit for bit"
    assert "bit for bit" in verify(VerifyOptions(str(finished.path), method="rl2, memory wiped"))
    assert "bit for bit" in verify(VerifyOptions(str(finished.path), method="random"))
    assert main(["verify", str(finished.path)]) == 0


def test_verification_of_another_checkpoint_fails(finished: BenchmarkFolder, tmp_path: Path) -> None:
    shutil.copytree(finished.path, tmp_path / "out")
    folder = BenchmarkFolder.open(tmp_path / "out")
    first, second = (folder.run_dir(RunKey(WHERE, "rl2", seed)) for seed in (0, 1))
    state = torch.load(second / "checkpoint.pt", weights_only=True)
    state["run"]["seed"] = 0
    torch.save(state, first / "checkpoint.pt")
    with pytest.raises(
        metarl.MetarlError, match=r"differ by up to .* the checkpoint is not the one that was evaluated"
    ):
        verify(VerifyOptions(str(folder.path)))
    assert "within 100" in verify(VerifyOptions(str(folder.path), tolerance=100.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": 5}, "there is no task 5: PointGoalSparse, test, has 5 tasks"),
        ({"seed": 2}, "has no rl2 on PointGoalSparse, seed 2: it has 2 seeds"),
        ({"method": "rl3"}, "unknown method 'rl3'; did you mean 'rl2'"),
        ({"distribution": "Nowhere"}, "unknown distribution of the suite tiny 'Nowhere'"),
    ],
)
def test_verify_refuses_an_unknown_run_key(finished: BenchmarkFolder, options: dict, message: str) -> None:
    with pytest.raises(metarl.MetarlError, match=message):
        verify(VerifyOptions(str(finished.path), **options))


# Frozen tasks and references ------------------------------------------------------------------------------------------


def test_stored_references_are_the_anchors_of_a_benchmark_without_an_oracle(
    suite_file: Callable[..., Path], finished: BenchmarkFolder, tmp_path: Path
) -> None:
    path = suite_file(tmp_path)
    suite = suites.load(str(path))
    files = freeze_tasks(suite)
    assert [file.name for file in files] == [f"{WHERE}-{eval_set}.json" for eval_set in ("test", "ood", "long")]
    store(suite, finished.path)
    stored = references.load(suite.reference_file)[WHERE]["test"]["oracle"]
    oracle = [load_eval(finished, RunKey(WHERE, "oracle", seed)).eval_sets["test"] for seed in (0, 1)]
    assert stored.mean == pytest.approx(np.mean([saved.returns.mean((0, 2)) for saved in oracle], 0))
    assert stored.hash == TaskSet.load(files[0]).hash
    assert stored.source == "oracle, 2 seeds of 480 env steps, 2 replicates"

    methods = {name: method for name, method in suite_methods(suite, ()).items() if name in ("random", "rl2")}
    folder = begin(suite, methods, 1, str(tmp_path / "out"))
    assert (folder.path / REFERENCES).exists()
    for job in jobs(folder):
        run_job(folder, job, "cpu")
    anchors = load_results([folder.path]).anchors[WHERE]["test"]
    assert anchors.oracle.mean == pytest.approx(stored.mean)
    assert anchors.oracle.source == f"{stored.source}, stored with the suite"
    elsewhere = suite.reference_file.read_text().replace('"mujoco": "', '"mujoco": "9.')
    (folder.path / REFERENCES).write_text(elsewhere)
    warnings = load_results([folder.path]).warnings
    assert any("the stored returns of oracle come from the world" in line and "'9." in line for line in warnings)
    store(suite, folder.path)  # the folder has random, but no oracle: the stored one is kept
    again = references.load(suite.reference_file)[WHERE]["test"]
    assert again["oracle"].mean == pytest.approx(stored.mean)
    assert again["random"].source == "random, 2 replicates"


def test_task_file_with_other_tasks_is_not_overwritten(suite_file: Callable[..., Path], tmp_path: Path) -> None:
    suite = suites.load(str(suite_file(tmp_path)))
    metarl.get(WHERE).tasks("test", 5, seed=1).save(suite.task_file(suite.entries[0], "test"))
    with pytest.raises(metarl.MetarlError, match="holds other tasks than PointGoalSparse draws now"):
        freeze_tasks(suite)


def test_file_that_holds_no_references_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps({"format": "x", "version": 1}))
    with pytest.raises(metarl.MetarlError, match="holds no references"):
        references.load(tmp_path / "r.json")
    assert references.load(tmp_path / "none.json") == {}


@pytest.mark.parametrize("name", suites.names())
def test_built_in_suite_draws_its_frozen_tasks_and_has_ordered_anchors(name: str) -> None:
    suite = suites.load(name)
    suite_methods(suite, ())
    for entry in suite.entries:
        for eval_set, spec in entry.eval_sets.items():
            frozen = TaskSet.load(suite.task_file(entry, eval_set))
            assert frozen == entry.distribution.tasks(spec.split, spec.tasks, seed=0), (entry.label, eval_set)
            stored = references.load(suite.reference_file).get(entry.label, {}).get(eval_set, {})
            assert all(returns.hash == frozen.hash for returns in stored.values())
            mean = {name: returns.mean.mean() for name, returns in stored.items()}
            if stored and entry.scored == eval_set and entry.bayes_optimal:
                assert mean["random"] < mean[entry.bayes_optimal] < mean[entry.oracle]
