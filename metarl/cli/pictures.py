"""Pictures of several environments with captions: contact sheets and videos."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metarl.errors import MetarlError

LINE_PX, FONT_PX, MARGIN_PX, GAP_PX = 15, 11, 6, 8
MOST_NUMBERS = 8  # numbers of one parameter in a caption


def caption(task: Mapping[str, Any], width: int) -> list[str]:
    """Return a task's parameters in lines that fit `width` pixels."""
    columns = max(8, int((width - 2 * MARGIN_PX) / (0.62 * FONT_PX)))
    return [line for name, value in task.items() for line in textwrap.wrap(f"{name} {_short(value)}", columns)]


def _short(value: Any) -> str:
    numbers = np.asarray(value).ravel()
    shown = " ".join(f"{x:.3g}" for x in numbers[:MOST_NUMBERS].tolist())
    return shown + (f" ... ({len(numbers)})" if len(numbers) > MOST_NUMBERS else "")


def captions(tasks: Sequence[Mapping[str, Any]], width: int) -> np.ndarray:
    """Return uint8 [n, height, width, 3], the captions of all tasks in dark on white, all of one height."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    texts = [caption(task, width) for task in tasks]
    height = LINE_PX * max(map(len, texts)) + MARGIN_PX
    pictures = []
    for lines in texts:
        figure = Figure((width / 100, height / 100), dpi=100, facecolor="white")
        canvas = FigureCanvasAgg(figure)
        for i, line in enumerate(lines):
            place = MARGIN_PX / width, 1 - (MARGIN_PX + LINE_PX * i) / height
            figure.text(*place, line, va="top", family="monospace", fontsize=FONT_PX * 0.72, color="#222222")
        canvas.draw()
        pictures.append(np.asarray(canvas.buffer_rgba())[..., :3])
    return np.stack(pictures)


def tile(pictures: np.ndarray) -> np.ndarray:
    """Return uint8 [height, width, 3], pictures [n, h, w, 3] in about as many rows as columns, with white between them.

    Height and width are even, as video codecs require.
    """
    n, h, w, _ = pictures.shape
    columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    height, width = (k * size - GAP_PX for k, size in ((rows, h + GAP_PX), (columns, w + GAP_PX)))
    sheet = np.full((height + height % 2, width + width % 2, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        top, left = i // columns * (h + GAP_PX), i % columns * (w + GAP_PX)
        sheet[top : top + h, left : left + w] = picture
    return sheet


def save_picture(path: str, picture: np.ndarray) -> None:
    """Write a PNG, or another format by the suffix of the path."""
    from matplotlib.image import imsave

    try:
        imsave(path, picture)
    except (OSError, ValueError, KeyError) as error:
        raise MetarlError(f"cannot write the picture {path} ({error}): give another --out, ending in .png") from error


def save_video(path: str, frames: Sequence[np.ndarray], fps: int) -> None:
    """Write an mp4. Raise MetarlError if moviepy is not installed or the file cannot be written."""
    try:
        from moviepy import ImageSequenceClip
    except ImportError as error:
        raise MetarlError("a video is written by moviepy, which is not installed: pip install moviepy") from error
    try:
        ImageSequenceClip(list(frames), fps=fps).write_videofile(path, logger=None)
    except (OSError, ValueError) as error:
        raise MetarlError(f"cannot write the video {path}: {error}; give another --out, ending in .mp4") from error
