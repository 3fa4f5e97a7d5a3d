"""Pre-training, then fine-tuning: multi-task PPO that goes on learning within the trial, on its task alone.

What a practitioner does without meta-learning. Every environment has weights of its own, a copy of those trained
before, and after each episode takes a few clipped policy-gradient steps (Schulman et al. 2017) on what it lived
through in that episode. Returns to go, less their mean over the episodes so far at the same step, are the advantages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import torch
from torch import Tensor
from torch.func import functional_call, vmap

from metarl.agents.action_distributions import ActionDistribution
from metarl.agents.action_noise import ActionNoise
from metarl.agents.ppo.policy import Policy
from metarl.agents.ppo.settings import PPOSettings
from metarl.checks import check_number, check_whole
from metarl.core import returns
from metarl.core.rng import generator
from metarl.core.trials import Step
from metarl.errors import MetarlError

Weights = dict[str, Tensor]  # of the actor, [B, ...] each, and log_std [B, A]


@dataclass(frozen=True)
class FineTuneSettings(PPOSettings):
    """Multi-task PPO without memory, and how it is fine-tuned in a trial."""

    memory: str = "none"  # type: ignore[assignment]
    tuning_steps: int = 10
    """gradient steps after each episode"""
    tuning_rate: float = 1e-3
    """learning rate of Adam in a trial"""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole(self, "tuning_steps", low=0)
        check_number(self, "tuning_rate", above=0)


class FineTuneAgent:
    """A memoryless policy whose copies learn by themselves, one for each environment (contract 8)."""

    def __init__(self, policy: Policy, settings: FineTuneSettings) -> None:
        if policy.has_memory:
            raise MetarlError("fine-tuning is of a policy without memory: train `ppo` for it")
        self.policy, self.settings = policy, settings

    def begin(self, num_envs: int) -> None:
        network = self.policy.network
        trained = {**dict(network.actor.named_parameters()), "log_std": network.log_std}
        self.weights = {
            name: value.detach().expand(num_envs, *value.shape).clone().requires_grad_()
            for name, value in trained.items()
        }
        self.optimizer = torch.optim.Adam(self.weights.values(), self.settings.tuning_rate)
        self.noise = ActionNoise(generator(0, "fine-tuning", device=network.log_std.device))
        self.earned: list[Tensor] = []  # returns to go [T, B] of each episode so far
        self._forget()

    @torch.no_grad()
    def act(self, obs: Tensor) -> Tensor:
        """Actions are drawn: who takes the mean learns nothing about the others."""
        policy = self.policy
        norm = policy.observation_norm
        features = policy.network.encode(obs if norm is None else norm(obs))
        dist = self._dist(self.weights, features.unsqueeze(1))
        action, sample = policy.actions.choose(dist, policy.actions.draw(self.noise, dist[0]))
        self.features.append(features)
        self.actions.append(sample.squeeze(1))
        self.log_probs.append(dist.log_prob(sample).squeeze(1))
        return action.squeeze(1)

    def observe(self, step: Step) -> None:
        self.rewards.append(step.reward)
        self.resting.append(step.resting)
        self.over = self.over | step.terminated | step.truncated
        if bool(self.over.all()):  # slots end together
            self._tune()
            self._forget()

    def _forget(self) -> None:
        """The last episode's steps."""
        self.features: list[Tensor] = []
        self.actions: list[Tensor] = []
        self.log_probs: list[Tensor] = []
        self.rewards: list[Tensor] = []
        self.resting: list[Tensor] = []
        self.over = torch.zeros(len(self.weights["log_std"]), dtype=torch.bool, device=self.weights["log_std"].device)

    def _tune(self) -> None:
        """A few steps of the clipped objective; Adam keeps the copies apart, for it works weight by weight."""
        features, actions, old, reward, resting = (
            torch.stack(rows) for rows in (self.features, self.actions, self.log_probs, self.rewards, self.resting)
        )  # [T, B, ...]
        advantage, own = self._advantage(reward), ~resting
        with torch.enable_grad():
            for _ in range(self.settings.tuning_steps):
                dist = self._dist(self.weights, features.transpose(0, 1))
                ratio = (dist.log_prob(actions.transpose(0, 1)).T - old).exp()
                clipped = ratio.clamp(1 - self.settings.clip_coef, 1 + self.settings.clip_coef)
                surrogate = torch.min(ratio * advantage, clipped * advantage) * own
                loss = -(surrogate.sum(0) / own.sum(0).clamp(min=1)).sum()  # a sum over copies: each has its gradient
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()

    def _advantage(self, reward: Tensor) -> Tensor:
        """[T, B]: returns to go, centred on their mean over this trial's episodes at the same step, in units of their
        spread. In the first episode, which has nothing to compare with, centred on the mean over its steps."""
        discount = torch.full_like(reward, self.settings.gamma)
        to_go = returns.discounted_sum(reward, discount)
        self.earned.append(to_go)
        if len(self.earned) == 1:
            centre = to_go.mean(0)
        else:
            rows = min(map(len, self.earned))
            mean = torch.stack([episode[:rows] for episode in self.earned]).mean(0)
            centre = torch.cat([mean, mean[-1:].expand(len(to_go) - rows, -1)])
        centred = to_go - centre
        return centred / (centred.square().mean(0).sqrt() + 1e-8)

    def _dist(self, weights: Weights, features: Tensor) -> ActionDistribution:
        """Of features [B, T, F], each environment by its own weights."""
        actor = {name: value for name, value in weights.items() if name != "log_std"}
        out = vmap(lambda w, x: functional_call(self.policy.network.actor, w, (x,)))(actor, features)
        log_std = weights["log_std"].unsqueeze(1)
        return self.policy.actions.dist(out, log_std)


def restore(
    observation_space: gym.Space,
    action_space: gym.Space,
    settings: FineTuneSettings,
    state: Mapping[str, Any],
    deterministic: bool,
) -> FineTuneAgent:
    """The agent from what `ppo` has learned; its actions are drawn in any case."""
    policy = Policy(observation_space, action_space, settings)
    policy.load_state_dict(state["policy"])
    return FineTuneAgent(policy.eval(), settings)
