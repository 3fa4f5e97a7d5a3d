"""`metarl watch RUN_DIR`: a video of an agent's first and last episode on a task, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tyro

from metarl.checks import check_whole
from metarl.cli.command import Command
from metarl.errors import MetarlError
from metarl.training.run_dir import writing

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from metarl.core.agent import Agent
    from metarl.core.trials import Step, Trials

VIDEO_PACKAGES = ("imageio", "imageio_ffmpeg")  # both come with moviepy
LINE = 20  # pixels of a line of text
GAP = 8  # pixels between pictures
DARK, LIGHT = (28, 28, 28), (255, 255, 255)
LONGEST_TEXT = 70


@dataclass(frozen=True)
class WatchOptions:
    """Write a video of the first and last episode of a trial, with the task and the return so far."""

    run_dir: tyro.conf.Positional[str]
    """run directory of `metarl train`; in a benchmark's folder runs/DISTRIBUTION/METHOD/seed-0/run"""
    split: str | None = None
    """split of the task; by default test, or train where there is no test split"""
    task: int = 0
    """index of the task in the split, from 0"""
    episodes: int | None = None
    """episodes of the trial; by default as many as in training"""
    size: int = 360
    """width and height of each picture in pixels"""
    fps: int | None = None
    """pictures per second; by default real time"""
    out: str | None = None
    """video file, .mp4 or .gif; by default watch.mp4 in the run directory"""

    def __post_init__(self) -> None:
        check_whole(self, "task", low=0)
        check_whole(self, "size", low=64)
        for name in ("episodes", "fps"):
            if getattr(self, name) is not None:
                check_whole(self, name, low=1)
        if self.out is not None and Path(self.out).suffix not in (".mp4", ".gif"):
            raise MetarlError(f"out must end in .mp4 or .gif, got {self.out!r}")


class Recorder:
    """An agent of one environment that also renders a picture of every state it acts in, in some episodes."""

    def __init__(self, agent: Agent, env: Trials, episodes: Sequence[int], size: int) -> None:
        self.agent, self.env, self.size = agent, env, size
        self.pictures: dict[int, list[np.ndarray]] = {episode: [] for episode in episodes}

    def begin(self, num_envs: int) -> None:
        self.agent.begin(num_envs)

    def act(self, obs: Tensor) -> Tensor:
        if self.env.episode in self.pictures:
            self.pictures[self.env.episode].append(self.env.environment.render(0, self.size, self.size))
        return self.agent.act(obs)

    def observe(self, step: Step) -> None:
        self.agent.observe(step)


def watch(options: WatchOptions) -> Path:
    """Evaluate the agent on the task and write the video; returns its path."""
    from metarl.training import evaluate
    from metarl.training.load_agent import LoadedRun

    loaded = LoadedRun(options.run_dir)
    distribution = loaded.distribution
    if options.episodes is not None:
        distribution = replace(distribution, episodes=options.episodes)
    split = distribution.require(options.split or ("test" if "test" in distribution.splits else "train"))
    task = distribution.tasks(split, options.task + 1, seed=0)[options.task]
    env = distribution.make(1, task_visible=loaded.agent_type.task_visible)
    try:
        recorder = Recorder(loaded.agent(), env, sorted({0, distribution.episodes - 1}), options.size)
        result = evaluate.evaluate_agent(recorder, env, task)
        fps = options.fps or env.environment.simulation.render_fps
    except NotImplementedError as error:
        raise MetarlError(f"{distribution.name} cannot be rendered: {error}") from error
    finally:
        env.close()
    title = (
        f"{loaded.agent_type.name} on {distribution.name}, {split} task {options.task}: {describe_task(task.task(0))}"
    )
    frames = compose(title, recorder.pictures, result.reward[:, :, 0, 0])
    out = Path(options.out) if options.out else loaded.path / "watch.mp4"
    with writing(out, "give another --out"):
        return write_video(out, frames, fps)


def compose(title: str, pictures: dict[int, list[np.ndarray]], reward: np.ndarray) -> np.ndarray:
    """Return frames of the episodes' pictures side by side: uint8 [T, height, width, 3], both even for video codecs.

    An episode that is over keeps its last picture. reward: [K, H].
    """
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size=14)
    length = max(map(len, pictures.values()))
    height, width = next(iter(pictures.values()))[0].shape[:2]
    total = len(pictures) * (width + GAP) - GAP, height + 2 * LINE
    frames = []
    for t in range(length):
        sheet = Image.new("RGB", (total[0] + total[0] % 2, total[1] + total[1] % 2), LIGHT)
        ImageDraw.Draw(sheet).text((6, 2), _cut(title), DARK, font)
        for column, (episode, images) in enumerate(pictures.items()):
            last = min(t, len(images) - 1)
            episode_return = reward[episode, : last + 1].sum()
            text = f"episode {episode + 1}   step {last + 1}   return {episode_return + 0.0:.1f}"
            _paste(sheet, images[last], column * (width + GAP), text, font)
        frames.append(np.asarray(sheet))
    return np.stack(frames)


def _paste(sheet: Image, picture: np.ndarray, left: int, text: str, font: Any) -> None:
    """Paste a picture below a line of text, which is cut at the picture's width."""
    from PIL import Image, ImageDraw

    line = Image.new("RGB", (picture.shape[1], LINE), LIGHT)
    ImageDraw.Draw(line).text((6, 1), text, DARK, font)
    sheet.paste(line, (left, LINE))
    sheet.paste(Image.fromarray(np.asarray(picture)), (left, 2 * LINE))


def describe_task(task: dict) -> str:
    """Return a task's parameters as one line of text."""
    return ", ".join(
        f"{name} {np.array2string(np.asarray(v), precision=2, separator=', ')}" for name, v in task.items()
    )


def _cut(text: str) -> str:
    """Return the text in one line of at most LONGEST_TEXT characters."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 3] + "..."


def write_video(path: Path, frames: np.ndarray, fps: int) -> Path:
    """Write an .mp4, or a .gif for a path with that suffix or without the video packages; returns the path written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    missing = [name for name in VIDEO_PACKAGES if find_spec(name) is None]
    if path.suffix == ".mp4" and not missing:
        import imageio.v2 as imageio

        imageio.mimwrite(path, list(frames), fps=fps, macro_block_size=2)
        return path
    if path.suffix == ".mp4":
        print(f"no {' and '.join(missing)} here: writing a GIF instead of an MP4 (pip install moviepy installs them)")
        path = path.with_suffix(".gif")
    from PIL import Image

    first, *others = (Image.fromarray(frame) for frame in frames)
    first.save(path, save_all=True, append_images=others, duration=max(20, round(1000 / fps)), loop=0)
    return path


COMMAND = Command(
    "watch", WatchOptions, lambda options: print(watch(options)), "a video of an agent adapting to a task"
)
