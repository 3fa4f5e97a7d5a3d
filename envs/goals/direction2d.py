"""The goal "direction2d": run in a direction of the plane."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from metarl.envs.goals.goal import Goal, Motion
from metarl.tasks.parameter import Parameter


class Direction2d(Goal):
    """Reward v_x cos(angle) + v_y sin(angle), where v = (place' - place) / dt (Rakelly et al. 2019, AntDir)."""

    name = "direction2d"
    parameters = (Parameter("angle", unit="rad", neutral=0.0, doc="target direction; 0 is along x, pi/2 along y"),)
    place_size = 2

    def prepared(self, task: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        angle = task["angle"]
        return {**task, "heading": torch.stack([angle.cos(), angle.sin()], 1)}

    def terms(self, motion: Motion, task: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"direction": (motion.velocity[:, :2] * task["heading"]).sum(1)}
