"""The perturbation "slope": inclined ground, by a rotation of gravity, so that floor and camera do not change."""

from __future__ import annotations

from math import pi

import mujoco
import torch

from metarl.envs.perturbations.perturbation import Fields, Perturbation, Task
from metarl.tasks.parameter import Parameter


class Slope(Perturbation):
    """Incline the ground by a, uphill in direction h: gravity g becomes g (-sin a cos h, -sin a sin h, -cos a)."""

    name = "slope"
    fields = ("opt.gravity",)

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        if model.opt.gravity[2] == 0:
            return ()
        return (
            Parameter("slope", unit="rad", low=-pi / 2, high=pi / 2, doc="angle of the ground, uphill if positive"),
            Parameter("slope_heading", unit="rad", doc="uphill direction, from x towards y"),
        )

    def change(self, model: mujoco.MjModel, fields: Fields, task: Task) -> None:
        down, angle, heading = fields["opt.gravity"][:, 2], task["slope"], task["slope_heading"]
        along = down * angle.sin()
        tilted = torch.stack([along * heading.cos(), along * heading.sin(), down * angle.cos()], 1)
        level = torch.cat([fields["opt.gravity"][:, :2], torch.zeros_like(down)[:, None]], 1)
        fields["opt.gravity"] = level + tilted


slope = Slope()
