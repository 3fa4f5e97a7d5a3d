"""Pictures of a MuJoCo model, off screen, with or without a display."""

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
MARK_SIZE = 0.04  # of the model's extent
VIEW = 1.2  # metres of distance for each metre that is to be seen; about what a camera of 45 degrees needs
MARK_COLOUR = np.array([0.1, 0.6, 0.3, 0.5], np.float32)


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


def draw(
    renderer: mujoco.Renderer, model: mujoco.MjModel, data: mujoco.MjData, mark: np.ndarray | None = None
) -> np.ndarray:
    """uint8 [height, width, 3]: a simulation seen by the model's first camera, or from outside where it has none.

    `model` may differ in its numbers from the renderer's: in lengths, say. mark: a point [3] to show as a ball; a
    camera that follows the robot steps back and looks down until both are in the picture.
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
    """EGL where it is asked for, or where nothing is and there is no display; else what MuJoCo chose on import."""
    asked = os.environ.get("MUJOCO_GL", "").lower()
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform == "linux" and (asked == "egl" or not (asked or display)):
        from mujoco.egl import GLContext

        return GLContext
    return gl_context.GLContext
