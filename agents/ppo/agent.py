"""A trained policy as an agent."""

from __future__ import annotations

import torch
from torch import Tensor

from metarl.agents.action_distributions import ActionNoise
from metarl.agents.ppo.policy import Policy, PolicyActor
from metarl.core.trials import Step
from metarl.errors import MetarlError


class PolicyAgent:
    """A trained policy as an agent (metarl.core.agent). Actions are sampled, or the mode if `deterministic`."""

    def __init__(self, policy: Policy, deterministic: bool, noise: ActionNoise | None = None) -> None:
        self.policy = policy
        self.deterministic = deterministic
        self.noise = noise or ActionNoise()
        self.actor = PolicyActor(policy)

    def begin(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.actor.begin(num_envs, self.noise)

    @torch.no_grad()
    def act(self, obs: Tensor) -> Tensor:
        if obs.shape != (self.num_envs, *self.policy.observation_shape):
            expected = [self.num_envs, *self.policy.observation_shape]
            raise MetarlError(f"this agent sees observations of shape {expected}, got {list(obs.shape)}")
        self._acted = self.actor.act(obs, None if self.deterministic else self.actor.draw())
        return self._acted.action

    @torch.no_grad()
    def observe(self, step: Step) -> None:
        self.actor.observe(self._acted, step)
