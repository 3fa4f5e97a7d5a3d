"""The window of render_mode="human"."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from metarl.errors import MetarlError


class Viewer:
    """A window that shows at most `fps` frames per second. Raises MetarlError without a display or without tkinter."""

    def __init__(self, title: str, fps: int) -> None:
        try:
            import tkinter
        except ImportError as error:
            cure = 'install it (Debian, Ubuntu: apt-get install python3-tk), or use render_mode="rgb_array"'
            raise MetarlError(f"a window needs tkinter, which is missing: {cure}") from error
        try:
            self._root: Any = tkinter.Tk()
        except tkinter.TclError as error:
            raise MetarlError(f'no window: {error}. Without a display use render_mode="rgb_array"') from error
        self._root.title(title)
        self._label = tkinter.Label(self._root)
        self._label.pack()
        self._make_image = tkinter.PhotoImage
        self._seconds = 1 / fps
        self._due = 0.0

    def show(self, picture: np.ndarray) -> None:
        """Show a picture, uint8 [height, width, 3], after a wait that keeps the frame rate."""
        time.sleep(max(0.0, self._due - time.perf_counter()))
        self._due = time.perf_counter() + self._seconds
        height, width, _ = picture.shape
        self._image = self._make_image(data=b"P6 %d %d 255 " % (width, height) + picture.tobytes(), format="PPM")
        self._label.configure(image=self._image)  # the label keeps no reference to it
        self._root.update()

    def close(self) -> None:
        self._root.destroy()
