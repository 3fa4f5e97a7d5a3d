"""Go to a hidden place, told at every step how far it is."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from metarl.envs.goals.goal import Goal, Motion
from metarl.tasks.parameter import Parameter


class Place(Goal):
    """Reward −|x − g_x| − |y − g_y|, of where the step leads to (Rakelly et al. 2019, AntGoal)."""

    name = "place"
    parameters = (Parameter("place", shape=(2,), unit="m", neutral=0.0, doc="the place to go to, x and y"),)
    place_size = 2
    marked = "place"

    def terms(self, motion: Motion, task: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"place": -(motion.place[:, :2] - task["place"]).abs().sum(1)}
