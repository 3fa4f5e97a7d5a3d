"""Pictures of a MuJoCo model, off screen, with or without a display."""

from __future__ import annotations

import os
import sys
import warnings
from unittest import mock

import mujoco
from mujoco.rendering.classic import gl_context

from metarl.errors import MetarlError

CURE = (
    "Without a display, unset MUJOCO_GL or set it to egl, and install EGL: on Debian and Ubuntu "
    "`apt-get install libegl1 libopengl0 libgl1-mesa-dri`"
)


def make_renderer(model: mujoco.MjModel, width: int, height: int) -> mujoco.Renderer:
    """MuJoCo's renderer; MetarlError with the cure where no OpenGL library draws.

    MuJoCo draws through GLFW unless the environment variable MUJOCO_GL says otherwise, and GLFW needs a display. On
    Linux without one, EGL draws here, with no variable set.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="glfw")  # what it has to say is in the error that follows
            with mock.patch.object(gl_context, "GLContext", _context_class()):
                return mujoco.Renderer(model, height, width)
    except (ImportError, AttributeError, RuntimeError, mujoco.FatalError) as error:
        raise MetarlError(f"no picture: OpenGL does not work here ({type(error).__name__}: {error}). {CURE}") from error


def _context_class() -> type:
    """EGL where it is asked for, or where nothing is and there is no display; else what MuJoCo chose on import."""
    asked = os.environ.get("MUJOCO_GL", "").lower()
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform == "linux" and (asked == "egl" or not (asked or display)):
        from mujoco.egl import GLContext

        return GLContext
    return gl_context.GLContext
