"""The goal "direction": run forward or backward."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from metarl.envs.goals.goal import Goal, Motion
from metarl.tasks.parameter import Parameter


class Direction(Goal):
    """Reward d v_x, where v_x = (x' - x) / dt and d is in {-1, +1} (Finn et al. 2017, section 5.3)."""

    name = "direction"
    parameters = (Parameter("direction", low=-1, high=1, neutral=1.0, doc="+1 forward, -1 backward"),)

    def terms(self, motion: Motion, task: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"direction": task["direction"] * motion.velocity[:, 0]}
