"""The command line, called in this process: its output, and one clear message for each mistake."""

from __future__ import annotations

import itertools
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from metarl import registry
from metarl.agents.ppo.learner import PPOLearner
from metarl.cli.main import main

TRAIN = ["train", "rl2", "PointGoalSparse"]
TINY = [
    "--num-envs=4", "--minibatches=2", "--epochs=1", "--hidden-size=8", "--head-size=8", "--threads=1",
    "--evaluate-every=0",
]  # fmt: skip
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two updates. Tests do not change it."""
    path = tmp_path_factory.mktemp("cli") / "run"
    assert main([*TRAIN, *TINY, "--steps=960", f"--run-dir={path}"]) == 0
    return path


@pytest.fixture(scope="module")
def memoryless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "ppo"
    assert main(["train", "ppo", "PointGoalSparse", *TINY, "--steps=1", f"--run-dir={path}"]) == 0
    return path


@pytest.fixture
def refused(capsys: Capture) -> Callable[..., str]:
    """refused(argument, ...) runs a command that must fail and returns its message."""

    def check(*arguments: str, status: int = 1) -> str:
        assert main(list(arguments)) == status
        out, err = capsys.readouterr()
        assert out == ""
        assert "Traceback" not in err
        if status == 1:
            assert err.count("\n") == 1
            assert err.startswith("error: ")
        return err

    return check


# Help and lists -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_help_names_every_command(arguments: list[str], capsys: Capture) -> None:
    assert main(arguments) == 0
    out = capsys.readouterr().out
    for command in ("metarl list [NAME]", "metarl train AGENT DISTRIBUTION", "metarl evaluate RUN_DIR", "metarl demo"):
        assert command in out


@pytest.mark.parametrize("command", ["list", "train", "evaluate", "demo", "speed"])
def test_every_command_has_help(command: str, capsys: Capture) -> None:
    assert main([command, "--help"]) == 0
    assert f"usage: metarl {command}" in capsys.readouterr().out


def test_help_of_train_has_options_and_settings_with_tuned_defaults(capsys: Capture) -> None:
    agent = registry.find("agent", "rl2")
    tuned = {"PointGoalSparse": {"gamma": 0.123}}
    known = agent.tuned
    object.__setattr__(agent, "tuned", tuned)
    try:
        assert main([*TRAIN, "--help"]) == 0
    finally:
        object.__setattr__(agent, "tuned", known)
    out = capsys.readouterr().out
    assert "usage: metarl train rl2 PointGoalSparse" in out
    for text in (
        "--steps INT",
        "--resume",
        "--no-cuda-graphs",
        "--checkpoint-every INT",
        "--hidden-size INT",
        "(default: 0.123)",
    ):
        assert text in out
    assert main(["train", "ppo", "PointGoalSparse", "--help"]) == 0
    assert "(default: none)" in capsys.readouterr().out


def test_help_imports_neither_torch_nor_mujoco() -> None:
    script = "import sys; from metarl.cli.main import main; main(['-h']); print({'torch', 'mujoco'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "set()"


def test_version(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("metarl ")


def test_list_shows_every_name(capsys: Capture) -> None:
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    for kind in registry.KINDS:
        for name in registry.names(kind):
            assert name in out


@pytest.mark.parametrize("kind", registry.KINDS)
def test_list_shows_every_name_in_full(kind: str, capsys: Capture) -> None:
    for name in registry.names(kind):
        assert main(["list", name]) == 0
        assert f"{kind} {name}\n" in capsys.readouterr().out


def test_list_shows_bounds_units_and_neutral_values(capsys: Capture) -> None:
    assert main(["list", "HalfCheetahVel"]) == 0
    out = capsys.readouterr().out
    for text in ("velocity ~ Uniform(0, 3)", "(-inf, inf) m/s", "[0.001, 1000]", "200 steps", "train, valid, test"):
        assert text in out


def test_list_shows_a_distribution_of_a_file(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "my.py").write_text(
        "import metarl\n"
        "Mine = metarl.TaskDistribution('Mine', world='PointMass', goal='sparse_place',\n"
        "                               parameters={'radius': metarl.Uniform(0.1, 0.2)})\n"
    )
    assert main(["list", f"{tmp_path}/my.py:Mine"]) == 0
    assert "radius ~ Uniform(0.1, 0.2)" in capsys.readouterr().out


def test_a_closed_pipe_prints_no_error() -> None:
    script = "from metarl.cli.main import main; raise SystemExit(main(['list']))"
    reader, writer = os.pipe()
    os.close(reader)
    command, pipe = [sys.executable, "-c", script], subprocess.PIPE
    ended = subprocess.run(command, stdout=writer, stderr=pipe, text=True, check=False)
    os.close(writer)
    assert ended.returncode != 0
    assert ended.stderr == ""


# From training to a picture -------------------------------------------------------------------------------------------


def test_train_prints_the_command_of_the_evaluation(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "my run"
    assert main([*TRAIN, *TINY, "--steps", "1", "--run-dir", str(path)]) == 0
    out, err = capsys.readouterr()
    assert f"metarl evaluate '{path}'" in out
    assert "rl2 on PointGoalSparse  480 of 1 env steps" in err
    assert {"config.json", "metrics.csv", "checkpoint.pt"} <= {file.name for file in path.iterdir()}
    assert list(path.glob("events.out.tfevents.*"))


def test_the_default_run_directory_has_agent_distribution_and_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*TRAIN, *TINY, "--steps=1", "--seed=3"]) == 0
    assert (tmp_path / "runs" / "rl2-PointGoalSparse-3" / "checkpoint.pt").exists()


def test_evaluate_prints_a_table_and_writes_an_eval_file_and_a_picture(
    run: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "new" / "folder"
    options = ["--tasks=3", "--replicates=2", f"--out={out}", "--against", "wiped", "random"]
    assert main(["evaluate", str(run), *options]) == 0
    printed = capsys.readouterr().out
    for text in ("valid", "test", "ood", "rl2, memory", "random", "episode 3", str(out / "eval.npz"), "adaptation.png"):
        assert text in printed
    with np.load(out / "eval.npz") as arrays:
        for split in ("valid", "test", "ood"):
            for agent in ("rl2", "rl2, memory wiped", "random"):
                assert arrays[f"{split}/{agent}/reward"].shape == (3, 40, 3, 2)
                assert (arrays[f"{split}/{agent}/steps"] == 40).all()
            assert arrays[f"{split}/task/place"].shape == (3, 2)
            assert len(str(arrays[f"{split}/hash"])) == 64
    assert size_of_png(out / "adaptation.png") > (1000, 400)
    assert sorted(file.name for file in out.iterdir()) == ["adaptation.png", "eval.npz"]


def test_evaluate_with_many_episodes_and_other_settings(run: Path, tmp_path: Path, capsys: Capture) -> None:
    """Only some of many episodes have columns, and the setting "true" is parsed as a bool."""
    options = ["--split=test", "--tasks=2", "--replicates=1", "--episodes=6", f"--out={tmp_path}"]
    assert main(["evaluate", str(run), *options, "--against", "wiped", "--settings", "wipe_memory=true"]) == 0
    printed = capsys.readouterr().out
    assert [k for k in range(1, 7) if f"episode {k}" in printed] == [1, 4, 6]
    with np.load(tmp_path / "eval.npz") as arrays:
        assert np.array_equal(arrays["test/rl2/reward"], arrays["test/rl2, memory wiped/reward"])


def size_of_png(path: Path) -> tuple[int, int]:
    """Return width and height of a picture, which must be readable and not blank."""
    from matplotlib.image import imread

    assert imread(path).std() > 0.01
    return struct.unpack(">II", path.read_bytes()[16:24])


def test_evaluate_one_task_on_one_split(run: Path, tmp_path: Path, capsys: Capture) -> None:
    options = ["--split=test", "--tasks=1", "--replicates=1", f"--out={tmp_path}", "--sample-actions"]
    assert main(["evaluate", str(run), *options]) == 0
    printed = capsys.readouterr().out
    assert "nan" not in printed
    assert "valid" not in printed


def test_a_distribution_without_held_out_tasks_is_evaluated_on_training_tasks(
    tmp_path: Path, capsys: Capture, refused: Callable[..., str]
) -> None:
    path = tmp_path / "run"
    assert main(["train", "rl2", "HalfCheetahDir", *TINY, "--steps=1", f"--run-dir={path}"]) == 0
    assert main(["evaluate", str(path), "--tasks=2", "--replicates=1"]) == 0
    assert "train" in capsys.readouterr().out
    message = refused("evaluate", str(path), "--split", "test")
    assert "HalfCheetahDir has only 2 tasks, so there is no test split: use train" in message


# Mistakes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("trian", "unknown command 'trian'; did you mean 'train'?"),
        ("list Nothing", "unknown name 'Nothing'"),
        ("list nowhere.py:Thing", "no file "),
        ("list os:path", "os:path names nothing to list"),
        ("train", "name an agent and a distribution before any option, as in `metarl train rl2 HalfCheetahVel"),
        ("train rl2", "name a distribution before any option"),
        ("train --steps 10 rl2 PointGoalSparse", "name an agent and a distribution before any option"),
        ("train rl3 PointGoalSparse", "unknown agent 'rl3'; did you mean 'rl2'?"),
        ("train rl2 PointGoalSpars", "unknown distribution 'PointGoalSpars'; did you mean 'PointGoalSparse'?"),
        ("train random PointGoalSparse", "'random' has nothing to train"),
        ("train rl2 nowhere.py:Mine", "no file "),
        ("train rl2 nothing.at.all:Mine", "no module named 'nothing'"),
        ("train rl2 :Mine", "give path/to/file.py:Name or package.module:Name"),
        ("train rl2 metarl.envs.catalogue:Mine", "defines no distribution named 'Mine'"),
        ("train promp PointNav --memory=gru", "'promp' has no setting memory: its policy is feed-forward"),
        ("evaluate nowhere", "nowhere is no run directory"),
    ],
)
def test_mistakes_have_one_message(refused: Callable[..., str], arguments: str, message: str) -> None:
    assert message in refused(*arguments.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--steps 0", "steps must be a whole number of at least 1, got 0"),
        ("--steps many", "invalid literal for int()"),
        ("--seed -1", "seed must be a whole number of at least 0, got -1"),
        ("--num-envs -4", "num_envs must be a whole number of at least 1, got -4"),
        ("--num-envs 5", "num_envs 5 must be a multiple of minibatches 4"),
        ("--gamma nan", "gamma must be a number in [0, 1], got nan"),
        ("--learning-rate inf", "learning_rate must be a number above 0, got inf"),
        ("--memory elephant", "elephant"),
        ("--checkpoint-every 0", "checkpoint_every must be a whole number of at least 1, got 0"),
        ("--threads 0", "threads must be a whole number of at least 1, got 0"),
        ("--device tpu", "device must be auto, cpu or cuda, got 'tpu'"),
        ("--hiden-size 3", "Unrecognized options: --hiden-size, 3"),
        ("--steps", "Missing value for argument '--steps'"),
        ("more", "Unrecognized options: more"),
    ],
)
def test_bad_options_have_one_message(refused: Callable[..., str], options: str, message: str, tmp_path: Path) -> None:
    printed = refused(*TRAIN, "--run-dir", str(tmp_path / "run"), *options.split(), status=2)
    assert message in " ".join(printed.replace("│", " ").split())
    assert not (tmp_path / "run").exists()


def test_mistakes_in_a_file_have_one_message(refused: Callable[..., str], tmp_path: Path) -> None:
    count = itertools.count()

    def message_for(text: str) -> str:
        file = tmp_path / f"my{next(count)}.py"  # a new file each time, because a file runs once per process
        file.write_text("import metarl\n" + text)
        return refused("show", f"{file}:Mine")

    sampler = "Mine = metarl.TaskDistribution('Mine', world={world}, goal='velocity', parameters={{{sampler}}})"
    good = "'velocity': metarl.Uniform(0, 1)"
    assert "defines no distribution named 'Mine'; it defines no distribution at all" in message_for("")
    other = sampler.format(world="'HalfCheetah'", sampler=good).replace("Mine", "Other")
    assert "named 'Mine'; it defines Other" in message_for(other)
    assert "cannot be run: SyntaxError" in message_for("def")
    assert "cannot be run: ZeroDivisionError" in message_for("1 / 0")
    assert "cannot be run: No module named 'nothing'" in message_for("import nothing")
    assert "is a int, not a distribution" in message_for("Mine = 3")
    assert "unknown world 'Moon'" in message_for(sampler.format(world="'Moon'", sampler=good))
    assert "unknown parameter" in message_for(
        sampler.format(world="'HalfCheetah'", sampler="'speed': metarl.Uniform(0, 1)")
    )
    heavy = "'mass': metarl.Uniform(-1, 1)"
    assert "'mass'" in (message := message_for(sampler.format(world="'HalfCheetah'", sampler=heavy)))
    assert "too low; it must lie in [0.001, 1000]" in message
    assert "nan" in message_for(
        sampler.format(world="'HalfCheetah'", sampler="'velocity': metarl.Uniform(0, float('nan'))")
    )
    assert not (tmp_path / "run").exists()


def test_an_existing_run_is_refused(refused: Callable[..., str], run: Path) -> None:
    assert "exists already: continue it with --resume, or give another" in refused(*TRAIN, f"--run-dir={run}")
    assert "has seed 0, not 1" in refused(*TRAIN, *TINY, "--resume", f"--run-dir={run}", "--seed=1")


def test_directories_without_write_permission_are_refused(
    refused: Callable[..., str], run: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert "Not a directory; " in refused(*TRAIN, *TINY, "--steps=1", f"--run-dir={tmp_path}/file/run")
    assert "File name too long; give another --run-dir" in refused(*TRAIN, *TINY, f"--run-dir={tmp_path}/{'x' * 300}")
    assert "File exists; give another --out" in refused("evaluate", str(run), f"--out={tmp_path}/file")
    assert "Not a directory; give another --out" in refused("evaluate", str(run), f"--out={tmp_path}/file/out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--tasks 0", "tasks must be a whole number of at least 1, got 0"),
        ("--replicates -1", "replicates must be a whole number of at least 1, got -1"),
        ("--split exam", "unknown split 'exam'"),
        ("--against rl2", "the agent 'rl2' must be trained first: give its run directory"),
        ("--against nothing", "unknown agent 'nothing'"),
        ("--episodes 0", "episodes must be a whole number of at least 1, got 0"),
        ("--settings gamma", "--settings takes NAME=VALUE, got 'gamma'"),
        ("--settings gama=0.9", "unknown setting of rl2 'gama'; did you mean 'gamma'"),
        ("--settings gamma=0.9", "gamma cannot be changed in an agent that rl2 has trained"),
    ],
)
def test_mistakes_of_evaluate_have_one_message(
    refused: Callable[..., str], run: Path, options: str, message: str
) -> None:
    assert message in refused("evaluate", str(run), *options.split())


def test_the_control_wiped_is_refused_for_an_agent_without_memory(
    refused: Callable[..., str], memoryless: Path
) -> None:
    assert "there is no memory to wipe" in refused("evaluate", str(memoryless), "--against", "wiped")


def test_a_damaged_checkpoint_is_refused(refused: Callable[..., str], run: Path, tmp_path: Path) -> None:
    import shutil

    path = Path(shutil.copytree(run, tmp_path / "run"))
    checkpoint = path / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    for command in (["evaluate", str(path)], [*TRAIN, *TINY, "--resume", f"--run-dir={path}"]):
        assert "is damaged and cannot be read" in refused(*command)


@pytest.mark.parametrize(
    ("presses", "message"), [(1, "stopped at 960 of"), (2, "interrupted; a run keeps its last checkpoint")]
)
def test_ctrl_c_names_resume(
    presses: int, message: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = PPOLearner.update

    def pressed(self: PPOLearner) -> dict[str, float]:
        for _ in range(presses if self.updates == 1 else 0):
            os.kill(os.getpid(), signal.SIGINT)
        return original(self)

    monkeypatch.setattr(PPOLearner, "update", pressed)
    path = tmp_path / "run"
    assert main([*TRAIN, *TINY, f"--run-dir={path}", "--checkpoint-every=1"]) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert "stopping: this update is finished, then all is saved" in err
    assert message in err.splitlines()[-1]
    assert "--resume continues" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert (path / "checkpoint.pt").exists()
