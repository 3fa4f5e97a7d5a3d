"""The goal "swing_up": swing up and balance."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi

from torch import Tensor

from metarl.envs.goals.goal import Goal, Motion


class SwingUp(Goal):
    """Reward −(θ² + 0.1 ω²), with θ in [-pi, pi) the angle from upright and ω its rate (Gymnasium's Pendulum-v1).

    The reward is that of the state after the step; Gymnasium's is that of the state before it, so returns differ only
    by the first and the last state. Gymnasium's torque cost, 0.001 u², is the robot's term `control`.
    """

    name = "swing_up"
    parameters = ()
    needs_tilt = True

    def terms(self, motion: Motion, task: Mapping[str, Tensor]) -> dict[str, Tensor]:
        assert motion.tilt is not None  # by needs_tilt
        angle, rate = motion.tilt.unbind(1)
        wrapped = (angle + pi).remainder(2 * pi) - pi
        return {"swing_up": -(wrapped.square() + 0.1 * rate.square())}
