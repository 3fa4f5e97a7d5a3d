"""OPSRL: optimistic posterior sampling for reinforcement learning."""

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
    """Settings of OPSRL."""

    samples: int = 3
    """draws of the MDP; the value of an action is the highest among them"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(self, "samples", low=1)


class OPSRLAgent(TableAgent):
    """An agent that plans with several draws of the MDP; an action also chooses the draw in each state and step.

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
    about="reference on tabular MDPs: each episode, the best policy over several draws from the posterior",
)  # fmt: skip
