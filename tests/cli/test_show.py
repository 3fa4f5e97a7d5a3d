"""`metarl show`: pictures, videos, printed text, and one clear message for each mistake."""

import builtins

import numpy as np
import pytest
import torch
from matplotlib.image import imread

import metarl
from metarl.cli import pictures
from metarl.cli.main import main
from metarl.core.rng import CounterRNG
from metarl.core.simulation import Outcome, Simulation
from metarl.core.world import World


class Coin(World):
    """Guess a side of a coin. The world is drawn as text only."""

    name = "TestCoin"

    def __init__(self, writes: bool = True):
        self.writes = writes

    def parameters(self, config):
        return (metarl.Parameter("side", low=0, high=1, integer=True, doc="the correct side"),)

    def build(self, config, num_envs, device, engine):
        import gymnasium as gym

        class Side(Simulation):
            observation_space = gym.spaces.Box(0, 9, (1,), np.float32)
            action_space = gym.spaces.Discrete(2)
            may_terminate = False
            reward_terms = {}

            def assign(self, task, mask):
                self.side = task["side"]

            def reset(self, mask, random: CounterRNG):
                self.guesses = torch.zeros(num_envs)

            def step(self, action, active, random):
                self.guesses = self.guesses + 1
                nothing = torch.zeros(num_envs, dtype=torch.int64)
                return Outcome((action == self.side).float(), nothing.bool(), nothing)

            def observe(self):
                return self.guesses[:, None].clone()

        if self.writes:
            Side.text = lambda self, index: f"{'HT'[int(self.side[index])]} after {int(self.guesses[index])}"
        simulation = Side()
        simulation.num_envs, simulation.device = num_envs, device
        return simulation


@pytest.fixture
def coin():
    def make(writes: bool) -> str:
        metarl.register(Coin(writes))
        metarl.register(
            metarl.TaskDistribution(
                "TestGuess", world="TestCoin", parameters={"side": metarl.Choice((0, 1))}, horizon=8
            )
        )
        return "TestGuess"

    return make


@pytest.fixture
def striped(monkeypatch):
    """Draw robots without OpenGL: the grey level of a picture is the position of its ball."""

    def render(self, index, width, height):
        return np.full((height, width, 3), int(127 + 100 * self.physics.qpos[index, 0]), np.uint8)

    monkeypatch.setattr("metarl.envs.robots.simulation.RobotSimulation.render", render)


def test_a_contact_sheet_is_one_picture_of_all_tasks(tmp_path, striped, capsys):
    out = tmp_path / "sheet.png"
    assert main(["show", "PointGoalWind", "--tasks=4", "--width=100", "--split=ood", f"--out={out}"]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    sheet = (imread(out)[..., :3] * 255).round()
    assert sheet.shape[1] == 2 * 100 + pictures.GAP_PX
    assert sheet.shape[0] % 2 == 0
    greys = {tuple(p) for p in sheet.reshape(-1, 3) if p[0] == p[1] == p[2] and 20 < p[0] < 230}
    assert len(greys) >= 3  # different winds give different positions


def test_all_tasks_have_the_same_start_state_and_actions(tmp_path, striped):
    for steps, same in ((0, True), (20, False)):
        out = tmp_path / f"{steps}.png"
        assert main(["show", "PointGoalWind", "--tasks=2", "--width=64", f"--steps={steps}", f"--out={out}"]) == 0
        bottom = imread(out)[-5, :, 0]
        assert (bottom[5] == bottom[64 + pictures.GAP_PX + 5]) == same


def test_captions_have_the_parameters():
    lines = pictures.caption({"wind": [1.0, -0.123456], "mass": 2.5, "many": list(range(20))}, 400)
    assert lines == ["wind 1 -0.123", "mass 2.5", "many 0 1 2 3 4 5 6 7 ... (20)"]
    assert all(len(line) <= 20 for line in pictures.caption({"limbs": [0.123] * 6}, 150))
    drawn = pictures.captions([{"mass": 2.5}, {"mass": 0.5}], 120)
    assert drawn.shape == (2, pictures.LINE_PX + pictures.MARGIN_PX, 120, 3)
    assert drawn[0].min() < 100  # not blank
    assert (drawn[0] != drawn[1]).any()


def test_a_contact_sheet_has_every_picture():
    images = np.random.default_rng(0).integers(0, 256, (5, 7, 9, 3), dtype=np.uint8)
    sheet = pictures.tile(images)
    assert sheet.shape == (2 * 7 + pictures.GAP_PX, 3 * 9 + 2 * pictures.GAP_PX + 1, 3)
    for i, picture in enumerate(images):
        top, left = i // 3 * (7 + pictures.GAP_PX), i % 3 * (9 + pictures.GAP_PX)
        np.testing.assert_array_equal(sheet[top : top + 7, left : left + 9], picture)


def test_a_world_that_is_drawn_as_text_is_printed(coin, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["show", coin(True), "--tasks=2", "--steps=3"]) == 0
    out = capsys.readouterr().out
    assert out.count("after 3") == 2
    assert "side 0\nH after 3" in out
    assert "side 1\nT after 3" in out
    assert list(tmp_path.iterdir()) == []


def test_a_world_without_pictures_is_refused(coin, capsys, tmp_path):
    assert main(["show", coin(False), f"--out={tmp_path / 'x.png'}"]) == 1
    assert "TestCoin draws no pictures" in capsys.readouterr().err


def test_a_video_has_a_frame_for_each_step(tmp_path, striped, monkeypatch):
    written = {}

    def keep(path, frames, fps):
        written.update(path=path, frames=list(frames), fps=fps)

    monkeypatch.setattr("metarl.cli.pictures.save_video", keep)
    out = str(tmp_path / "x.mp4")
    assert main(["show", "PointGoalWind", "--video", "--tasks=2", "--width=64", "--steps=7", f"--out={out}"]) == 0
    assert (written["path"], len(written["frames"]), written["fps"]) == (out, 8, 20)
    assert all(frame.shape == written["frames"][0].shape for frame in written["frames"])
    assert (written["frames"][0] != written["frames"][-1]).any()


def test_a_video_is_written(tmp_path):
    moviepy = pytest.importorskip("moviepy")
    frames = [np.full((32, 48, 3), 20 * i, np.uint8) for i in range(10)]
    pictures.save_video(str(tmp_path / "x.mp4"), frames, 5)
    clip = moviepy.VideoFileClip(str(tmp_path / "x.mp4"))
    assert clip.size == [48, 32]
    assert clip.duration == pytest.approx(2.0, abs=0.21)  # the last frame may have no length
    clip.close()


def test_a_missing_library_is_named_with_its_install_command(tmp_path, striped, monkeypatch, capsys):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "moviepy":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    assert main(["show", "PointGoalWind", "--video", "--steps=1", f"--out={tmp_path / 'x.mp4'}"]) == 1
    assert "pip install moviepy" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["PointGoalWindy"], "did you mean 'PointGoalWind'"),
        (["PointGoalWind", "--split=tset"], "unknown split 'tset'"),
        (["HalfCheetahDir", "--split=test"], "no test split"),
        (["PointGoalWind", "--out=nowhere/x.png"], "make it first"),
        (["PointGoalWind", "--out=x.pong"], "ending in .png"),
    ],
)
def test_mistakes_have_one_message(arguments, message, capsys, striped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["show", *arguments]) == 1
    assert message in capsys.readouterr().err


def test_a_number_out_of_range_is_refused(capsys):
    assert main(["show", "PointGoalWind", "--tasks=0"]) == 2  # the status of every option that cannot be read
    assert "tasks must be a whole number of at least 1" in capsys.readouterr().err


def test_help_names_the_command(capsys):
    assert main(["--help"]) == 0
    assert "metarl show DISTRIBUTION" in capsys.readouterr().out
