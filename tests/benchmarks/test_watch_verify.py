"""Watching an agent adapt, verifying a cell, freezing a suite."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import metarl
from metarl.benchmarks.commands import make_references, watch
from metarl.benchmarks.commands.benchmark import begin, enter
from metarl.benchmarks.commands.verify import VerifyOptions, verify
from metarl.benchmarks.commands.watch import WatchOptions, compose, write_video
from metarl.benchmarks.job.folder import Folder, RunKey
from metarl.benchmarks.job.job import jobs, work
from metarl.benchmarks.results import references
from metarl.benchmarks.results.load_results import REFERENCES, checked, collect
from metarl.benchmarks.suites import suite as suites
from metarl.cli.main import main
from metarl.tasks.task_set import TaskSet
from metarl.training.evaluate import evaluate_agent

WHERE = "PointGoalSparse"


# Watching -------------------------------------------------------------------------------------------------------------


class Still:
    """An agent that stays where it is."""

    def begin(self, num_envs: int) -> None:
        self.num_envs = num_envs

    def act(self, obs: torch.Tensor) -> torch.Tensor:
        return torch.full((self.num_envs,), 4)

    def observe(self, step: object) -> None:
        pass


def test_the_first_and_the_last_episode_are_filmed_state_by_state() -> None:
    entry = metarl.get("GridNavi")
    env = entry.make(1)
    filmed = watch.Filmed(Still(), env, [0, 3], 64)
    evaluate_agent(filmed, env, entry.tasks("test", 1))
    assert {episode: len(pictures) for episode, pictures in filmed.pictures.items()} == {0: 15, 3: 15}
    assert all(np.array_equal(picture, filmed.pictures[0][0]) for picture in filmed.pictures[3])  # it never moved


def test_side_by_side_with_the_return_so_far() -> None:
    blank = np.zeros((63, 301, 3), np.uint8)
    frames = compose("who, where", {0: [blank + t for t in range(5)], 2: [blank + 9] * 3}, np.ones((3, 5)))
    assert frames.shape == (5, 104, 610, 3)
    assert frames[4, 60, 10, 0] == 4
    assert frames[4, 60, 400, 0] == 9
    assert (frames[:, :20] < 128).any()  # words
    assert not np.array_equal(frames[0, 20:40], frames[1, 20:40])  # that change with the return
    assert np.array_equal(frames[3, 20:40, 305:], frames[4, 20:40, 305:])  # and stop when the episode is over


def test_a_gif_where_mp4_cannot_be_written(
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
        gif.seek(3)  # the last one
        with pytest.raises(EOFError):
            gif.seek(4)


def test_mistakes_in_watching(finished: Folder) -> None:
    with pytest.raises(metarl.MetarlError, match=r"out must end in .mp4 or .gif"):
        WatchOptions("run", out="film.avi")
    run = str(finished.run_dir(RunKey(WHERE, "rl2", 0)))
    with pytest.raises(metarl.MetarlError, match="unknown split 'exam'"):
        watch.watch(WatchOptions(run, split="exam"))


# Verifying ------------------------------------------------------------------------------------------------------------


def test_a_cell_lived_again_is_the_same_bit_for_bit(finished: Folder) -> None:
    said = verify(VerifyOptions(str(finished.path), task=3, seed=1))
    assert said == f"rl2 on {WHERE}, seed 1, test task 3: 2 trials of 2 episodes are the same, bit for bit"
    assert "bit for bit" in verify(VerifyOptions(str(finished.path), method="rl2, memory wiped"))
    assert "bit for bit" in verify(VerifyOptions(str(finished.path), method="random"))
    assert main(["verify", str(finished.path)]) == 0


def test_another_checkpoint_does_not_pass(finished: Folder, tmp_path: Path) -> None:
    shutil.copytree(finished.path, tmp_path / "out")
    folder = Folder.open(tmp_path / "out")
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
def test_mistakes_in_verifying(finished: Folder, options: dict, message: str) -> None:
    with pytest.raises(metarl.MetarlError, match=message):
        verify(VerifyOptions(str(finished.path), **options))


# Freezing -------------------------------------------------------------------------------------------------------------


def test_stored_references_scale_what_comes_later(
    suite_file: Callable[..., Path], finished: Folder, tmp_path: Path
) -> None:
    """Frozen tasks and references lie beside the suite; a job without an oracle of its own is scored by them."""
    path = suite_file(tmp_path)
    suite = suites.load(str(path))
    files = make_references.freeze(suite)
    assert [file.name for file in files] == [f"{WHERE}-{eval_set}.json" for eval_set in ("test", "ood", "long")]
    make_references.store(suite, finished.path)
    stored = references.load(suite.reference_file)[WHERE]["test"]["oracle"]
    oracle = [checked(finished, RunKey(WHERE, "oracle", seed)).eval_sets["test"] for seed in (0, 1)]
    assert stored.mean == pytest.approx(np.mean([lived.returns.mean((0, 2)) for lived in oracle], 0))
    assert stored.hash == TaskSet.load(files[0]).hash
    assert stored.by == "oracle, 2 seeds of 480 env steps, 2 replicates"

    alone = {name: e for name, e in enter(suite, ()).items() if name in ("random", "rl2")}
    folder = begin(suite, alone, 1, str(tmp_path / "out"))
    assert (folder.path / REFERENCES).exists()
    for job in jobs(folder):
        work(folder, job, "cpu")
    anchors = collect([folder.path]).anchors[WHERE]["test"]
    assert anchors.best.mean == pytest.approx(stored.mean)
    assert anchors.best.by == f"{stored.by}, stored with the suite"
    elsewhere = suite.reference_file.read_text().replace('"mujoco": "', '"mujoco": "9.')
    (folder.path / REFERENCES).write_text(elsewhere)
    warned = collect([folder.path]).warnings
    assert any("the stored returns of oracle come from the world" in line and "'9." in line for line in warned)
    make_references.store(suite, folder.path)  # random alone was lived anew: what is stored of the oracle stays
    again = references.load(suite.reference_file)[WHERE]["test"]
    assert again["oracle"].mean == pytest.approx(stored.mean)
    assert again["random"].by == "random, 2 replicates"


def test_tasks_that_were_frozen_otherwise_are_not_overwritten(suite_file: Callable[..., Path], tmp_path: Path) -> None:
    suite = suites.load(str(suite_file(tmp_path)))
    metarl.get(WHERE).tasks("test", 5, seed=1).save(suite.task_file(suite.entries[0], "test"))
    with pytest.raises(metarl.MetarlError, match="holds other tasks than PointGoalSparse draws now"):
        make_references.freeze(suite)


def test_references_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps({"format": "x", "version": 1}))
    with pytest.raises(metarl.MetarlError, match="holds no references"):
        references.load(tmp_path / "r.json")
    assert references.load(tmp_path / "none.json") == {}


@pytest.mark.parametrize("name", suites.names())
def test_built_in_suites_are_frozen_and_draw_what_they_have_frozen(name: str) -> None:
    suite = suites.load(name)
    enter(suite, ())
    for entry in suite.entries:
        for eval_set, choice in entry.eval_sets.items():
            frozen = TaskSet.load(suite.task_file(entry, eval_set))
            assert frozen == entry.distribution.tasks(choice.split, choice.tasks, seed=0), (entry.label, eval_set)
            stored = references.load(suite.reference_file).get(entry.label, {}).get(eval_set, {})
            assert all(earned.hash == frozen.hash for earned in stored.values())
            exact = {who: earned.mean.mean() for who, earned in stored.items()}
            if stored and entry.scored == eval_set and entry.ceiling:  # who must explore lies between
                assert exact["random"] < exact[entry.ceiling] < exact[entry.reference]
