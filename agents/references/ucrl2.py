"""UCRL2: the best MDP that what was seen does not rule out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import gymnasium as gym
import torch
from torch import Tensor

from metarl.agents.references.tables import Backup, TableAgent, TableSettings, expected
from metarl.checks import check_number
from metarl.core.agent import AgentType


@dataclass(frozen=True)
class UCRL2Settings(TableSettings):
    """How optimistic to be."""

    scale: float = 0.1
    """factor of both confidence widths; 1 is what the regret bound needs, far too much for short lives"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(self, "scale", low=0.0)


class UCRL2Agent(TableAgent):
    r"""Optimism over confidence sets (Jaksch, Ortner and Auer 2010), planned anew for each episode of H steps.

    After t steps, with n visits of (s, a): mean rewards up to $c \sqrt{7 \ln(2 S A t) / 2n}$ above the posterior's
    mean, transitions within $c \sqrt{14 S \ln(2 A t) / n}$ of the posterior's mean in L1 distance; c is `scale`, and n
    counts one visit more than there was, as the prior does.
    """

    def __init__(self, observation_space: gym.Space, action_space: gym.Space, settings: UCRL2Settings) -> None:
        super().__init__(observation_space, action_space, settings)
        self.scale = settings.scale

    def backup(self) -> Backup:
        s, a, t = self.states, self.actions, max(1, self.steps)
        n = self.visits + 1.0
        rewards = self.mean_reward() + self.scale * (3.5 * math.log(2 * s * a * t) / n).sqrt()
        width = self.scale * (14 * s * math.log(2 * a * t) / n).sqrt()
        mean = (self.seen + 1.0) / (self.visits + s)[..., None]
        return lambda value: rewards + best_within(mean, width, value)


def best_within(mean: Tensor, width: Tensor, value: Tensor) -> Tensor:
    """[B, S, A]: the highest mean of `value` [B, S] under transitions within L1 distance `width` of `mean`.

    Half the width goes to the best state, and as much is taken from the worst ones (Jaksch et al., figure 2).
    """
    value, order = value.sort(1, descending=True)
    moved = mean.gather(3, order[:, None, None].expand_as(mean))
    moved[..., 0] += width / 2
    below = moved.cumsum(3).clamp_(max=1.0)
    return expected(torch.diff(below, prepend=torch.zeros_like(below[..., :1])), value)


UCRL2 = AgentType(
    "ucrl2", UCRL2Settings, None, lambda obs, actions, settings, *_: UCRL2Agent(obs, actions, settings),
    about="reference on tabular MDPs: each episode, the best policy of the best MDP that is still credible",
)  # fmt: skip
