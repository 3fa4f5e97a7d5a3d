"""The goal "balance": stay upright."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from metarl.envs.goals.goal import Goal, Motion
from metarl.tasks.parameter import Parameter


class Balance(Goal):
    """Reward 1 for a step that ends within `tolerance` of upright, else 0 (Gymnasium's InvertedPendulum-v5)."""

    name = "balance"
    parameters = (Parameter("tolerance", unit="rad", low=0.0, neutral=0.2, doc="largest rewarded angle from upright"),)
    needs_tilt = True

    def terms(self, motion: Motion, task: Mapping[str, Tensor]) -> dict[str, Tensor]:
        assert motion.tilt is not None  # by needs_tilt
        return {"balance": (motion.tilt[:, 0].abs() <= task["tolerance"]).to(motion.tilt.dtype)}
