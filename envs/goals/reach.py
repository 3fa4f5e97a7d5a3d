"""The goal "reach": move a point of the robot to a target."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.linalg import vector_norm

from metarl.envs.goals.goal import Goal, Motion
from metarl.tasks.parameter import Parameter


class Reach(Goal):
    """Reward −‖place − target‖₂ after the step (Gymnasium's Reacher, with a target that is not observed)."""

    name = "reach"
    parameters = (Parameter("target", shape=(2,), unit="m", neutral=0.0, doc="target position, x and y"),)
    place_size = 2
    marked = "target"

    def terms(self, motion: Motion, task: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"distance": -vector_norm(motion.place[:, :2] - task["target"], dim=1)}
