"""Pre-training and fine-tuning: multi-task PPO that continues to train within the trial, on its task alone.

This is the usual practice without meta-learning. Every environment has a separate copy of the pre-trained weights.
After each episode, a copy takes a few clipped policy-gradient steps (Schulman et al. 2017) on that episode. Advantages
are returns-to-go minus their mean over the episodes so far at the same step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import torch
from torch import Tensor
from torch.func import functional_call, vmap

from metarl.agents.action_distributions import ActionDistribution, ActionNoise
from metarl.agents.ppo.policy import Policy
from metarl.agents.ppo.settings import PPOSettings
from metarl.checks import check_number, check_whole
from metarl.core import returns
from metarl.core.rng import generator
from metarl.core.trials import Step
from metarl.errors import MetarlError

Weights = dict[str, Tensor]  # parameters of the actor [B, ...], and log_std [B, A]


@dataclass(frozen=True)
class FineTuneSettings(PPOSettings):
    """Multi-task PPO without memory, fine-tuned within a trial."""

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
    """A memoryless policy of which each environment trains a separate copy; an agent (metarl.core.agent)."""

    def __init__(self, policy: Policy, settings: FineTuneSettings) -> None:
        if policy.has_memory:
            raise MetarlError("fine-tuning needs a policy without memory: leave out the setting memory")
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
        self.returns_to_go: list[Tensor] = []  # [T, B] for each episode so far
        self._start_episode()

    @torch.no_grad()
    def act(self, obs: Tensor) -> Tensor:
        """Return sampled actions: the mode alone would give no information about other actions."""
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
        if bool(self.over.all()):  # all environments have finished the episode
            self._tune()
            self._start_episode()

    def _start_episode(self) -> None:
        """Clear the steps of the last episode."""
        self.features: list[Tensor] = []
        self.actions: list[Tensor] = []
        self.log_probs: list[Tensor] = []
        self.rewards: list[Tensor] = []
        self.resting: list[Tensor] = []
        self.over = torch.zeros(len(self.weights["log_std"]), dtype=torch.bool, device=self.weights["log_std"].device)

    def _tune(self) -> None:
        """Take a few steps on the clipped objective. Adam works element by element: the copies stay independent."""
        features, actions, old, reward, resting = (
            torch.stack(rows) for rows in (self.features, self.actions, self.log_probs, self.rewards, self.resting)
        )  # [T, B, ...]
        advantage, mask = self._advantage(reward), ~resting
        with torch.enable_grad():
            for _ in range(self.settings.tuning_steps):
                dist = self._dist(self.weights, features.transpose(0, 1))
                ratio = (dist.log_prob(actions.transpose(0, 1)).T - old).exp()
                clipped = ratio.clamp(1 - self.settings.clip_coef, 1 + self.settings.clip_coef)
                surrogate = torch.min(ratio * advantage, clipped * advantage) * mask
                loss = -(surrogate.sum(0) / mask.sum(0).clamp(min=1)).sum()  # over copies, which stay apart
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()

    def _advantage(self, reward: Tensor) -> Tensor:
        """Return advantages [T, B] for rewards [T, B]: returns-to-go, centred, in units of their spread.

        The centre is the mean over this trial's episodes at the same step; in the first episode, the mean over steps.
        """
        discount = torch.full_like(reward, self.settings.gamma)
        to_go = returns.discounted_sum(reward, discount)
        self.returns_to_go.append(to_go)
        if len(self.returns_to_go) == 1:
            centre = to_go.mean(0)
        else:
            rows = min(map(len, self.returns_to_go))
            mean = torch.stack([episode[:rows] for episode in self.returns_to_go]).mean(0)
            centre = torch.cat([mean, mean[-1:].expand(len(to_go) - rows, -1)])
        centred = to_go - centre
        return centred / (centred.square().mean(0).sqrt() + 1e-8)

    def _dist(self, weights: Weights, features: Tensor) -> ActionDistribution:
        """Return the action distribution for features [B, T, F], with each environment's copy of the weights."""
        actor = {name: value for name, value in weights.items() if name != "log_std"}
        dist_params = vmap(lambda w, x: functional_call(self.policy.network.actor, w, (x,)))(actor, features)
        log_std = weights["log_std"].unsqueeze(1)
        return self.policy.actions.dist(dist_params, log_std)


def restore(
    observation_space: gym.Space,
    action_space: gym.Space,
    settings: FineTuneSettings,
    state: Mapping[str, Any],
    deterministic: bool,
) -> FineTuneAgent:
    """Return the agent from a learner's state. `deterministic` has no effect: actions are always sampled."""
    policy = Policy(observation_space, action_space, settings)
    policy.load_state_dict(state["policy"])
    return FineTuneAgent(policy.eval(), settings)
