"""Pictures, videos and the window. Tests that draw are skipped without a working OpenGL library."""

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordVideo

import metarl
from metarl import registry
from metarl.envs.robots.robot import Robot
from metarl.gym_api.env import MetarlEnv
from metarl.gym_api.registration import register_ids
from metarl.gym_api.vector_env import VectorEnv
from metarl.gym_api.viewer import Viewer


@pytest.fixture(scope="session")
def _draws():
    env = MetarlEnv("PointGoalSparse", render_mode="rgb_array")
    env.reset(seed=0)
    try:
        env.render()
    except metarl.MetarlError as error:
        pytest.skip(str(error))


draws = pytest.mark.usefixtures("_draws")


@pytest.fixture
def frames(monkeypatch):
    """The calls of a viewer that needs no display."""
    shown = []

    class FakeViewer:
        def __init__(self, title, fps):
            shown.append((title, fps))

        def show(self, picture):
            shown.append(picture)

        def close(self):
            shown.append("closed")

    monkeypatch.setattr("metarl.gym_api.env.Viewer", FakeViewer)
    return shown


def is_robot(world: str) -> bool:
    """Return whether MuJoCo draws the world."""
    return isinstance(registry.find("world", world), Robot)


ONE_OF_EACH_WORLD = {registry.find("distribution", name).world: name for name in registry.names("distribution")}


@draws
@pytest.mark.parametrize(
    "name",
    [
        # Robots share their renderer: one of them is a quick test.
        pytest.param(name, marks=pytest.mark.slow if is_robot(world) and world != "HalfCheetah" else ())
        for world, name in ONE_OF_EACH_WORLD.items()
    ],
)
@pytest.mark.usefixtures("frames")
def test_check_env_with_pictures(name):
    check_env(gym.make(register_ids(registry.find("distribution", name)), render_mode="rgb_array").unwrapped)


@draws
def test_each_environment_has_its_own_picture():
    env = VectorEnv("HalfCheetahVel", 2, render_mode="rgb_array")
    env.reset(seed=0)
    for _ in range(5):
        env.step(np.stack([np.ones(6, np.float32), -np.ones(6, np.float32)]))
    frames = env.render()
    assert [frame.shape for frame in frames] == [(480, 480, 3)] * 2
    assert all(frame.dtype == np.uint8 and frame.std() > 10 for frame in frames)
    assert (frames[0] != frames[1]).any()
    for a, b in zip(frames, env.render(), strict=True):
        assert not np.shares_memory(a, b)
    env.close()


@draws
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED])
def test_record_video(tmp_path, mode):
    pytest.importorskip("moviepy", reason="videos need moviepy: pip install 'gymnasium[other]'")
    env = VectorEnv("PointGoalSparse", 2, render_mode="rgb_array", max_episode_steps=3, autoreset_mode=mode)
    env = RecordVideo(env, str(tmp_path / "videos"), episode_trigger=lambda episode: episode == 0)
    env.reset(seed=0)
    for _ in range(3):
        env.step(np.ones((2, 2), np.float32))
    env.reset(options={"reset_mask": np.ones(2, bool)})
    env.close()
    assert [path.suffix for path in (tmp_path / "videos").iterdir()] == [".mp4"]
    assert env.frames_per_sec == 20


@draws
def test_every_reset_and_step_updates_the_window(frames):
    env = MetarlEnv("PointGoalSparse", render_mode="human")
    assert frames == []  # no window before the first reset
    env.reset(seed=0)
    env.step(np.ones(2, np.float32))
    assert env.render() is None
    env.close()
    title, first, second, closed = frames
    assert title == ("PointGoalSparse", 20)
    assert first.shape == (480, 480, 3)
    assert (first != second).any()
    assert closed == "closed"


def test_without_a_display_or_tkinter_the_error_names_the_cure(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    env = MetarlEnv("PointGoalSparse", render_mode="human")
    with pytest.raises(metarl.MetarlError, match=r'no window: .*display.*render_mode="rgb_array"'):
        env.reset(seed=0)
    monkeypatch.setitem(sys.modules, "tkinter", None)
    with pytest.raises(metarl.MetarlError, match="python3-tk"):
        env.reset(seed=0)


def test_the_viewer_shows_every_picture_and_keeps_the_frame_rate(monkeypatch):
    """tkinter reads the PPM format: a header, then the bytes of the picture."""
    drawn = []

    class Widget:
        def __init__(self, *_, **given):
            self.data = given.get("data")

        def configure(self, image):
            drawn.append(image.data)

        pack = title = update = destroy = lambda self, *_: None

    fake_tkinter = SimpleNamespace(Tk=Widget, Label=Widget, PhotoImage=Widget, TclError=RuntimeError)
    monkeypatch.setitem(sys.modules, "tkinter", fake_tkinter)
    viewer = Viewer("a title", fps=50)
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    start = time.perf_counter()
    for _ in range(6):
        viewer.show(picture)
    assert 0.09 < time.perf_counter() - start < 1
    viewer.close()
    assert drawn == [b"P6 3 2 255 " + bytes(range(18))] * 6


def test_render_without_a_render_mode_is_refused():
    for env in (MetarlEnv("PointGoalSparse"), VectorEnv("PointGoalSparse", 2)):
        env.reset(seed=0)
        with pytest.raises(metarl.MetarlError, match='render_mode="rgb_array"'):
            env.render()


def test_without_opengl_the_error_names_the_cure(monkeypatch):
    def fail(*_):
        raise ImportError("Unable to load EGL library")

    monkeypatch.setattr("metarl.envs.robots.drawing._context_class", fail)
    env = MetarlEnv("PointGoalSparse", render_mode="rgb_array")
    env.reset(seed=0)
    with pytest.raises(metarl.MetarlError, match=r"Unable to load EGL library.*apt-get install libegl1"):
        env.render()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="GLFW needs a display on Linux only")
def test_glfw_without_a_display_is_one_error():
    """The test runs in a new process, because MuJoCo chooses its OpenGL library when it is imported."""
    code = (
        "import metarl; from metarl.gym_api.env import MetarlEnv\n"
        "env = MetarlEnv('PointGoalSparse', render_mode='rgb_array'); env.reset(seed=0)\n"
        "try: env.render()\n"
        "except metarl.MetarlError as error: print(error)\n"
    )
    hidden = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=hidden | {"MUJOCO_GL": "glfw"}, capture_output=True, text=True
    )
    assert "unset MUJOCO_GL" in run.stdout
    assert run.stderr == ""
