"""The goal "place": go to a position, with a dense reward."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from metarl.envs.goals.goal import Goal, Motion
from metarl.tasks.parameter import Parameter


class Place(Goal):
    """Reward −|x − g_x| − |y − g_y| at the position after the step (Rakelly et al. 2019, AntGoal)."""

    name = "place"
    parameters = (Parameter("place", shape=(2,), unit="m", neutral=0.0, doc="goal position, x and y"),)
    place_size = 2
    marked = "place"

    def terms(self, motion: Motion, task: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"place": -(motion.place[:, :2] - task["place"]).abs().sum(1)}
