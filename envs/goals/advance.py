"""Get forward, as fast as the robot's own terms let it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from metarl.envs.goals.goal import Goal, Motion


class Advance(Goal):
    """Reward v_x = (x' - x) / dt. What a step survived is worth is the robot's to say, by its term `alive`.

    Nothing of it varies: it is for tasks that differ in how the robot or the ground behaves.
    """

    name = "advance"
    parameters = ()

    def terms(self, motion: Motion, task: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"advance": motion.velocity[:, 0]}
