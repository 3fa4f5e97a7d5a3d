"""The task-informed optimum of tabular MDPs: an agent that is given rewards and transitions."""

from __future__ import annotations

import gymnasium as gym
import torch
from torch import Tensor

from metarl.agents.references.tables import TableSettings, expected, greedy_plan
from metarl.core.agent import AgentType
from metarl.core.trials import Step
from metarl.errors import MetarlError


class KnownTableAgent:
    """An agent that plans by value iteration over the remaining steps (Bellman 1957).

    An observation is the state, one-hot [S], then mean rewards [S, A] and transitions [S, A, S].
    """

    def __init__(self, observation_space: gym.Space, action_space: gym.Space, settings: TableSettings) -> None:
        self.actions = int(getattr(action_space, "n", 0))
        size = (observation_space.shape or (0,))[-1]
        sizes = [s for s in range(1, size) if s * (1 + self.actions + self.actions * s) == size]
        if not sizes:
            raise MetarlError(f"known-table needs the rewards and transitions of an MDP, not {size} numbers")
        self.states, self.horizon = sizes[0], settings.horizon

    def begin(self, num_envs: int) -> None:
        self.time = 0
        self.rows = torch.arange(num_envs)

    def act(self, obs: Tensor) -> Tensor:
        cells = self.states * self.actions
        state, rewards, transitions = obs.cpu().split([self.states, cells, cells * self.states], 1)
        if self.time == 0:
            r = rewards.reshape(-1, self.states, self.actions)
            p = transitions.reshape(-1, self.states, self.actions, self.states)
            self.plan = greedy_plan(lambda value: r + expected(p, value), (len(obs), self.states), self.horizon)
        return self.plan[self.time, self.rows, state.argmax(1)].to(obs.device)

    def observe(self, step: Step) -> None:
        self.time = (self.time + 1) % self.horizon


KNOWN_TABLE = AgentType(
    "known-table", TableSettings, None, lambda obs, actions, settings, *_: KnownTableAgent(obs, actions, settings),
    task_visible=True, about="reference on tabular MDPs: the task-informed optimum, given the MDP",
)  # fmt: skip
