"""The goal "sparse_place": find a position that is rewarded only nearby."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.linalg import vector_norm

from metarl.envs.goals.goal import Goal, Motion
from metarl.tasks.parameter import Parameter


class SparsePlace(Goal):
    """Reward 1 - distance within `radius` of the goal, else 0 (Rakelly et al. 2019, the sparse point robot)."""

    name = "sparse_place"
    parameters = (
        Parameter("place", shape=(2,), unit="m", neutral=0.0, doc="goal position, x and y"),
        Parameter("radius", unit="m", low=0.0, neutral=0.2, doc="distance from the goal within which it is rewarded"),
    )
    place_size = 2
    marked = "place"

    def terms(self, motion: Motion, task: Mapping[str, Tensor]) -> dict[str, Tensor]:
        distance = vector_norm(motion.place - task["place"], dim=1)
        return {"place": (1 - distance) * (distance <= task["radius"])}
