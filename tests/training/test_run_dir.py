"""Run directories with mistakes or damage: one clear message, no saved file is lost, and runs can be resumed."""

from __future__ import annotations

import json
import pickle
import random
import resource
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import metarl
from metarl.training.run_dir import Run, Table, read_table

Train = Callable[..., Path]
Same = Callable[[Path, Path], None]
UPDATE = 480


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    """A copy of a finished run that tests may damage."""
    return Path(shutil.copytree(whole, tmp_path / "run"))


@pytest.fixture
def saved(run: Path) -> Iterator[Path]:
    """The same copy. Fails if the test changed a file that it held."""
    before = {file.name: file.read_bytes() for file in run.iterdir()}
    yield run
    assert {file.name: file.read_bytes() for file in run.iterdir() if file.name in before} == before


# Existing files ------------------------------------------------------------------------------------------------------


def test_an_existing_run_is_not_overwritten(tiny: Train, saved: Path) -> None:
    with pytest.raises(metarl.MetarlError, match="exists already: continue it with --resume, or give"):
        tiny(saved)


def test_another_directory_is_not_overwritten(tiny: Train, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("...")
    for resume in (False, True):
        with pytest.raises(metarl.MetarlError, match=r"exists already: it is not a run: give another --run-dir"):
            tiny(tmp_path, resume=resume)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_as_run_directory_is_refused(tiny: Train, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("...")
    with pytest.raises(metarl.MetarlError, match="is a file: give another --run-dir"):
        tiny(tmp_path / "file")
    with pytest.raises(metarl.MetarlError, match=r"cannot write .*Not a directory; .*give another --run-dir"):
        tiny(tmp_path / "file" / "run")


def test_a_directory_without_write_permission_is_refused(
    tiny: Train, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path, *args: object, **kwargs: object) -> object:
        if "w" in str(args) or "a" in str(args) or "+" in str(args):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **kwargs)  # type: ignore[arg-type]

    opened = Path.open
    monkeypatch.setattr(Path, "open", denied)  # file modes do not stop root
    for path, resume in ((tmp_path / "new", False), (saved, True)):
        with pytest.raises(metarl.MetarlError, match=r"cannot write .*Permission denied; .*give another --run-dir"):
            tiny(path, resume=resume, steps=7 * UPDATE)


def test_an_empty_directory_is_used(tiny: Train, tmp_path: Path) -> None:
    assert Run.open(tiny(tmp_path, steps=1)).has_checkpoint


def test_resume_without_a_run_starts_one(tiny: Train, tmp_path: Path) -> None:
    assert Run.open(tiny(tmp_path / "new", steps=1, resume=True)).has_checkpoint


def test_partial_files_of_a_killed_run_do_no_harm(tiny: Train, whole: Path, run: Path, assert_same: Same) -> None:
    for name in ("config.json", "checkpoint.pt", "eval.npz", "adaptation.png"):
        (run / (name + ".new")).write_bytes(b"half a")
    assert_same(tiny(run, resume=True), whole)
    metarl.evaluate(run, "test", tasks=2, replicates=1)
    assert [file.name for file in run.glob("*.new")] == ["config.json.new"]
    assert metarl.load(run)


def test_a_full_disk_keeps_the_last_checkpoint(tiny: Train, whole: Path, assert_same: Same, tmp_path: Path) -> None:
    path = tiny(tmp_path / "run", steps=2 * UPDATE)
    before = (path / "checkpoint.pt").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))  # no file may grow beyond half a checkpoint
    try:
        with pytest.raises(metarl.MetarlError, match="File too large; free some space"):
            tiny(path, resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (path / "checkpoint.pt").read_bytes() == before
    assert_same(tiny(path, resume=True), whole)


# Damage ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_truncated_checkpoint_is_refused(tiny: Train, saved: Path, fraction: float) -> None:
    checkpoint = saved / "checkpoint.pt"
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: int(fraction * len(whole))])
    refused(tiny, saved, r"checkpoint.pt is damaged .*: restore it from a copy, or delete it and --resume")
    checkpoint.write_bytes(whole)


def test_every_flipped_bit_that_changes_the_state_is_noticed(run: Path) -> None:
    """torch.load checks no checksums, and most bits of a checkpoint are weights, which load with any value."""
    rng, checkpoint, opened = random.Random(0), run / "checkpoint.pt", Run.open(run)
    whole = bytearray(checkpoint.read_bytes())
    state = opened.load_checkpoint()
    unnoticed = 0
    for _ in range(100):
        at, bit = rng.randrange(len(whole)), 1 << rng.randrange(8)
        whole[at] ^= bit
        checkpoint.write_bytes(whole)
        whole[at] ^= bit
        try:
            assert same(opened.load_checkpoint(), state)  # padding, or an unused header
            unnoticed += 1
        except metarl.MetarlError as error:
            assert "damaged" in str(error) or "not a checkpoint" in str(error)  # noqa: PT017
    assert unnoticed < 50


def same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return a == b


class Evil:
    def __reduce__(self):
        return Path.touch, (Path("pwned"),)


def test_a_checkpoint_runs_no_code(tiny: Train, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"learner": Evil(), "run": {}}, run / "checkpoint.pt")
    refused(tiny, run, r"is damaged and cannot be read \(UnpicklingError\)")
    (run / "checkpoint.pt").write_bytes(pickle.dumps(Evil()))
    refused(tiny, run, "is damaged and cannot be read")
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("content", [{"weights": torch.zeros(3)}, torch.zeros(3), [1, 2]])
def test_a_file_that_is_not_a_checkpoint_is_refused(tiny: Train, run: Path, content: object) -> None:
    torch.save(content, run / "checkpoint.pt")
    refused(tiny, run, "is not a checkpoint of metarl")


def test_a_checkpoint_of_another_run_is_refused(tiny: Train, run: Path, tmp_path: Path) -> None:
    """Its tensors have the same shapes: those of rl2 and rl2-wiped, and those of all seeds."""
    for options in ({"agent": "rl2-wiped"}, {"seed": 1}):
        other = tiny(tmp_path / str(options), steps=1, **options)
        shutil.copy(other / "checkpoint.pt", run)
        refused(tiny, run, r"is of another run \(agent .*\), its config is of agent rl2, .*, seed 0")


def test_a_checkpoint_with_other_shapes_is_refused(tiny: Train, run: Path, tmp_path: Path) -> None:
    other = tiny(tmp_path / "other", steps=1, settings={"hidden_size": 4})
    shutil.copy(other / "checkpoint.pt", run)
    refused(tiny, run, "the checkpoint in .* does not fit")


@pytest.mark.parametrize("learner", [{}, [], {"policy": 1}])
def test_a_checkpoint_with_another_learner_state_is_refused(tiny: Train, run: Path, learner: object) -> None:
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    torch.save({**state, "learner": learner}, run / "checkpoint.pt")
    refused(tiny, run, "the checkpoint in .* does not fit")


def test_a_run_without_a_checkpoint_is_not_loaded_and_can_be_resumed(
    tiny: Train, whole: Path, run: Path, assert_same: Same
) -> None:
    (run / "checkpoint.pt").unlink()
    with pytest.raises(metarl.MetarlError, match=r"has no checkpoint.pt yet: continue training with --resume"):
        metarl.load(run)
    assert_same(tiny(run, resume=True), whole)  # from the start, as the message about damage says


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"agent": 3}', '{"agent": {"name": "rl2"}}', "\x00"])
def test_a_damaged_config_is_refused(tiny: Train, run: Path, text: str) -> None:
    (run / "config.json").write_text(text)
    with pytest.raises(metarl.MetarlError, match=r"config.json is damaged"):
        metarl.load(run)
    with pytest.raises(metarl.MetarlError, match=r"config.json is damaged|the run in .* has"):
        tiny(run, resume=True)


def test_a_config_with_wrong_values_is_refused(run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    for change, message in (
        ({"distribution": {**config["distribution"], "world": "Moon"}}, "unknown world 'Moon'"),
        ({"distribution": {**config["distribution"], "parameters": 3}}, "is damaged or of another version"),
        ({"agent": {**config["agent"], "name": "rl3"}}, "unknown agent 'rl3'; did you mean 'rl2'"),
        ({"agent": {**config["agent"], "settings": {"colour": 1}}}, "is damaged or of another version"),
        ({"agent": {**config["agent"], "settings": {"hidden_size": 0}}}, "hidden_size must be a whole number"),
    ):
        (run / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(metarl.MetarlError, match=message):
            metarl.load(run)


def test_metrics_shorter_than_in_the_checkpoint_are_refused(tiny: Train, run: Path) -> None:
    for name in ("times.csv", "metrics.csv"):
        (run / name).write_bytes((run / name).read_bytes()[:-1])
        with pytest.raises(metarl.MetarlError, match=f"{name} is shorter than in its checkpoint"):
            tiny(run, resume=True)
        (run / name).unlink()
        with pytest.raises(metarl.MetarlError, match=f"{name} is missing"):
            tiny(run, resume=True)
        metarl.load(run)  # the weights are not damaged
        (run / name).write_bytes(b"-" * 10_000)


def test_metrics_after_the_checkpoint_are_removed(tiny: Train, whole: Path, run: Path, assert_same: Same) -> None:
    with (run / "metrics.csv").open("a") as file:
        file.write("6,3360,0.1,")
    assert_same(tiny(run, resume=True), whole)


def refused(tiny: Train, run: Path, message: str) -> None:
    """Assert that the run is neither resumed nor loaded, and that its metrics do not change."""
    metrics = (run / "metrics.csv").read_bytes()
    with pytest.raises(metarl.MetarlError, match=message):
        tiny(run, resume=True, steps=7 * UPDATE)
    with pytest.raises(metarl.MetarlError, match=message):
        metarl.load(run)
    assert (run / "metrics.csv").read_bytes() == metrics


# Resuming with other options -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"agent": "rl2-wiped"}, "has agent name 'rl2', not 'rl2-wiped': give the same, or another --run-dir"),
        ({"seed": 1}, "has seed 0, not 1"),
        ({"evaluate_every": 0}, "has evaluate_every 1440, not 0"),
        ({"threads": 2}, "has threads 1, not 2"),
        ({"settings": {"gamma": 0.5}}, r"has gamma [0-9.]+, not 0.5"),
        ({"settings": {"hidden_size": 4}}, "has hidden_size 8, not 4"),
    ],
)
def test_resuming_with_other_options_is_refused(tiny: Train, saved: Path, change: dict, message: str) -> None:
    with pytest.raises(metarl.MetarlError, match=message):
        tiny(saved, resume=True, **{"steps": 7 * UPDATE, **change})


def test_resuming_on_another_distribution_is_refused(tiny: Train, saved: Path) -> None:
    with pytest.raises(metarl.MetarlError, match="has distribution name 'PointGoalSparse', not 'HalfCheetahVel'"):
        tiny(saved, resume=True, distribution="HalfCheetahVel")
    changed = replace(metarl.get("PointGoalSparse"), horizon=50)
    with pytest.raises(metarl.MetarlError, match="has distribution horizon 40, not 50"):
        tiny(saved, resume=True, distribution=changed)


def test_a_resumed_run_keeps_its_number_of_threads(tiny: Train, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    monkeypatch.setattr(torch, "set_num_threads", counts.append)
    monkeypatch.setattr(torch, "get_num_threads", lambda: (counts or [4])[-1])
    tiny(run, resume=True, threads=None)
    assert counts == [1, 4]  # the run's number, then the number before it


def test_the_config_of_a_resumed_run_has_the_new_number_of_steps(tiny: Train, run: Path) -> None:
    tiny(run, resume=True, steps=7 * UPDATE, cuda_graphs=False)  # cuda_graphs may change, as it is not in the config
    assert Run.open(run).config["steps"] == 7 * UPDATE
    assert Run.open(run).config["agent"]["settings"]["hidden_size"] == 8


# Files ----------------------------------------------------------------------------------------------------------------


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    table = Table(tmp_path / "t.csv")
    table.append({"a": 1, "b": 0.1 + 0.2, "c": None})
    length = table.sync()
    table.append({"a": 2, "b": 1e-300})
    with pytest.raises(metarl.MetarlError, match=r"t.csv has no column d"):
        table.append({"a": 3, "d": 1.0})
    table.close()
    read = read_table(tmp_path / "t.csv")
    assert read["a"] == [1, 2]
    assert read["b"] == [0.1 + 0.2, 1e-300]
    Table(tmp_path / "t.csv", length).close()
    assert read_table(tmp_path / "t.csv")["a"] == [1]


def test_settings_that_are_not_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(metarl.MetarlError, match="recorded as JSON"):
        Run.create(tmp_path / "run", {"settings": {1, 2}})
    assert not (tmp_path / "run" / "config.json").exists()
