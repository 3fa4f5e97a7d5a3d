"""Off-screen rendering of a MuJoCo model, with or without a display."""

from __future__ import annotations

import os
import sys
import warnings
from unittest import mock

import mujoco
import numpy as np
from mujoco.rendering.classic import gl_context

from metarl.errors import MetarlError

CURE = (
    "Without a display, unset MUJOCO_GL or set it to egl, and install EGL: on Debian and Ubuntu "
    "`apt-get install libegl1 libopengl0 libgl1-mesa-dri`"
)
MARK_SIZE = 0.04  # radius of the mark over the model's extent
VIEW = 1.2  # camera distance over the width of the visible region; about that of a camera of 45 degrees
MARK_COLOUR = np.array([0.1, 0.6, 0.3, 0.5], np.float32)


def make_renderer(model: mujoco.MjModel, width: int, height: int) -> mujoco.Renderer:
    """Return a MuJoCo renderer.

    MuJoCo renders with GLFW unless the environment variable MUJOCO_GL selects another library, and GLFW needs a
    display. On Linux without a display and without the variable, this function uses EGL.

    Raises MetarlError, which names the cure, if no OpenGL library works.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="glfw")  # the error below has the same information
            with mock.patch.object(gl_context, "GLContext", _context_class()):
                return mujoco.Renderer(model, height, width)
    except (ImportError, AttributeError, RuntimeError, mujoco.FatalError) as error:
        raise MetarlError(f"no picture: OpenGL does not work here ({type(error).__name__}: {error}). {CURE}") from error


def draw(
    renderer: mujoco.Renderer, model: mujoco.MjModel, data: mujoco.MjData, mark: np.ndarray | None = None
) -> np.ndarray:
    """Render a simulation with the model's first camera, or with a free camera if it has none.

    model: may differ from the renderer's model in its values, such as lengths. mark: a position [3] to show as a ball;
    a camera that follows the robot then moves back and up until both are visible. Returns uint8 [height, width, 3].
    """
    camera, options, scene = _camera(model, data, mark), mujoco.MjvOption(), renderer.scene
    mujoco.mjv_updateScene(model, data, options, None, camera, mujoco.mjtCatBit.mjCAT_ALL, scene)
    if mark is not None and scene.ngeom < scene.maxgeom:
        size = np.full(3, MARK_SIZE * model.stat.extent)
        ball = scene.geoms[scene.ngeom]
        mujoco.mjv_initGeom(ball, mujoco.mjtGeom.mjGEOM_SPHERE, size, mark, np.eye(3).ravel(), MARK_COLOUR)
        scene.ngeom += 1
    return renderer.render()


def _camera(model: mujoco.MjModel, data: mujoco.MjData, mark: np.ndarray | None) -> mujoco.MjvCamera:
    camera = mujoco.MjvCamera()
    if not model.ncam:
        mujoco.mjv_defaultFreeCamera(model, camera)
    elif mark is None or model.cam_mode[0] == mujoco.mjtCamLight.mjCAMLIGHT_FIXED:
        camera.type, camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0
    else:
        robot = data.subtree_com[1]
        camera.lookat[:] = (robot + mark) / 2
        camera.distance = np.linalg.norm(model.cam_poscom0[0]) + VIEW * np.linalg.norm(robot - mark)
        camera.azimuth, camera.elevation = 90, -50
    return camera


def _context_class() -> type:
    """Return EGL's context class if it is requested, or if there is neither a request nor a display; else MuJoCo's."""
    requested = os.environ.get("MUJOCO_GL", "").lower()
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform == "linux" and (requested == "egl" or not (requested or display)):
        from mujoco.egl import GLContext

        return GLContext
    return gl_context.GLContext
