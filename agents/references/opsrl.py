"""OPSRL: optimistic posterior sampling."""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium as gym
import torch
from torch import Tensor

from metarl.agents.references.tables import Backup, TableAgent, TableSettings, expected
from metarl.checks import check_whole
from metarl.core.agent import AgentType


@dataclass(frozen=True)
class OPSRLSettings(TableSettings):
    """How optimistic to be."""

    samples: int = 3
    """draws of the MDP; each action is judged by the best of them"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(self, "samples", low=1)


class OPSRLAgent(TableAgent):
    """PSRL on several draws, with the choice of the draw in each state and step as part of the action.

    After Agrawal and Jia (2017), "Optimistic posterior sampling for reinforcement learning".
    """

    def __init__(self, observation_space: gym.Space, action_space: gym.Space, settings: OPSRLSettings) -> None:
        super().__init__(observation_space, action_space, settings)
        self.samples = settings.samples

    def backup(self) -> Backup:
        models = [self.drawn_model() for _ in range(self.samples)]

        def best(value: Tensor) -> Tensor:
            return torch.stack([rewards + expected(transitions, value) for rewards, transitions in models]).amax(0)

        return best


OPSRL = AgentType(
    "opsrl", OPSRLSettings, None, lambda obs, actions, settings, *_: OPSRLAgent(obs, actions, settings),
    about="reference on tabular MDPs: each episode, the best policy of several draws, each action by its best one",
)  # fmt: skip
