"""The goal "velocity": run at a target velocity."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from metarl.envs.goals.goal import Goal, Motion
from metarl.tasks.parameter import Parameter


class Velocity(Goal):
    """Reward −|v_x − v*|, where v_x = (x' - x) / dt (Finn et al. 2017, section 5.3)."""

    name = "velocity"
    parameters = (Parameter("velocity", unit="m/s", neutral=1.0, doc="target velocity along x"),)

    def terms(self, motion: Motion, task: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"velocity": -(motion.velocity[:, 0] - task["velocity"]).abs()}
