"""The goal "advance": run forward."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from metarl.envs.goals.goal import Goal, Motion


class Advance(Goal):
    """Reward v_x = (x' - x) / dt; the robot's term `alive` may add a constant per step.

    The goal has no parameters. It is for tasks that differ in the dynamics of the robot or its surroundings.
    """

    name = "advance"
    parameters = ()

    def terms(self, motion: Motion, task: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"advance": motion.velocity[:, 0]}
