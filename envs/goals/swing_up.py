"""Swing up and stay there."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi

from torch import Tensor

from metarl.envs.goals.goal import Goal, Motion


class SwingUp(Goal):
    """Reward −(θ² + 0.1 ω²), θ in [-pi, pi) from upright and ω its rate (Gymnasium's Pendulum-v1).

    Of the state the step leads to, where Gymnasium counts the state it leaves: over an episode the sums differ by the
    first and the last state alone. Its cost of torque, 0.001 u², is the robot's term `control`.
    """

    name = "swing_up"
    parameters = ()
    needs_tilt = True

    def terms(self, motion: Motion, task: Mapping[str, Tensor]) -> dict[str, Tensor]:
        assert motion.tilt is not None  # it needs one
        angle, rate = motion.tilt.unbind(1)
        wrapped = (angle + pi).remainder(2 * pi) - pi
        return {"swing_up": -(wrapped.square() + 0.1 * rate.square())}
