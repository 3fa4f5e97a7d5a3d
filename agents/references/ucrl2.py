"""UCRL2: plans for the best MDP within confidence sets."""

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
    """Settings of UCRL2."""

    scale: float = 0.1
    """factor of both confidence widths; the regret bound needs 1, far too much for short trials"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(self, "scale", low=0.0)


class UCRL2Agent(TableAgent):
    r"""An agent that plans each episode of H steps for the best MDP of a confidence set (Jaksch, Ortner and Auer 2010).

    After t steps, with n visits of (s, a): mean rewards up to $c \sqrt{7 \ln(2 S A t) / 2n}$ above the posterior's
    mean, transitions within $c \sqrt{14 S \ln(2 A t) / n}$ of the posterior's mean in L1 distance. c is `scale`; n is
    one more than the number of visits, as in the prior.
    """

    def __init__(self, observation_space: gym.Space, action_space: gym.Space, settings: UCRL2Settings) -> None:
        super().__init__(observation_space, action_space, settings)
        self.scale = settings.scale

    def backup(self) -> Backup:
        s, a, t = self.states, self.actions, max(1, self.steps)
        n = self.visits + 1.0
        rewards = self.mean_reward() + self.scale * (3.5 * math.log(2 * s * a * t) / n).sqrt()
        width = self.scale * (14 * s * math.log(2 * a * t) / n).sqrt()
        mean = (self.transition_counts + 1.0) / (self.visits + s)[..., None]
        return lambda value: rewards + best_within(mean, width, value)


def best_within(mean: Tensor, width: Tensor, value: Tensor) -> Tensor:
    """Return the highest mean of `value` [B, S] under transitions within L1 distance `width` of `mean`, [B, S, A].

    Half the width is added to the best state and taken from the worst ones (Jaksch et al., figure 2).
    """
    value, order = value.sort(1, descending=True)
    optimistic = mean.gather(3, order[:, None, None].expand_as(mean))
    optimistic[..., 0] += width / 2
    cumulative = optimistic.cumsum(3).clamp_(max=1.0)
    return expected(torch.diff(cumulative, prepend=torch.zeros_like(cumulative[..., :1])), value)


UCRL2 = AgentType(
    "ucrl2", UCRL2Settings, None, lambda obs, actions, settings, *_: UCRL2Agent(obs, actions, settings),
    about="reference on tabular MDPs: each episode, the best policy of the best MDP within confidence sets",
)  # fmt: skip
