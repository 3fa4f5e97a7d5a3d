"""Reach a hidden target with the point that a robot's place is."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.linalg import vector_norm

from metarl.envs.goals.goal import Goal, Motion
from metarl.tasks.parameter import Parameter


class Reach(Goal):
    """Reward −|place − target|, the straight distance, after the step (Gymnasium's Reacher, its target not seen)."""

    name = "reach"
    parameters = (Parameter("target", shape=(2,), unit="m", neutral=0.0, doc="the point to reach, x and y"),)
    place_size = 2
    marked = "target"

    def terms(self, motion: Motion, task: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"distance": -vector_norm(motion.place[:, :2] - task["target"], dim=1)}
