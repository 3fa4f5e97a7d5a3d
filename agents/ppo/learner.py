"""PPO over whole trials (Schulman et al. 2017): the learner of RL² and of its controls.

In one update, every environment runs one trial on a newly drawn task. Advantages are computed over the whole trial, so
that actions get credit for rewards in later episodes. A few epochs over minibatches of whole trials follow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from metarl.agents.action_distributions import ActionNoise
from metarl.agents.networks.normalization import standardize
from metarl.agents.ppo.agent import PolicyAgent
from metarl.agents.ppo.loss import Batch, ppo_loss, shuffled
from metarl.agents.ppo.memory_budget import needed
from metarl.agents.ppo.policy import CLOCK_SIZE, Policy, PolicyActor, clock
from metarl.agents.ppo.settings import PPOSettings
from metarl.core import returns
from metarl.core.agent import Learner
from metarl.core.rng import derive_seed, generator
from metarl.core.rollout import Rollout, rollout
from metarl.errors import MetarlError
from metarl.runtime import distributed
from metarl.tasks.task_distribution import TaskDistribution

ANNEALED = 0.05  # factor of the learning rate and of entropy_coef after `anneal_steps`
MIN_TRIALS = 16  # smallest number of trials in a process
NAN_CURE = "the policy diverged; the last checkpoint is intact; start a new training with a lower learning_rate"


class PPOLearner(Learner):
    """The learner that trains one policy on one task distribution."""

    data_parallel = True

    def __init__(
        self, distribution: TaskDistribution, settings: PPOSettings, seed: int, device: str, task_visible: bool = False
    ) -> None:
        self.distribution = distribution
        self.settings = settings
        self.seed = seed
        self.shard = distributed.shard("num_envs", settings.num_envs)  # the trials of this process
        self.env = distribution.make(self.shard.count, device, task_visible=task_visible)
        with torch.random.fork_rng():
            torch.manual_seed(derive_seed(seed, "weights"))
            self.policy = Policy(self.env.observation_space, self.env.action_space, settings).to(device)
        self.actor = PolicyActor(self.policy, in_graph=self.env.environment.uses_graphs)
        self.parameters = list(self.policy.network.parameters())
        self.optimizer = torch.optim.Adam(self.parameters, settings.learning_rate, eps=1e-5, fused=True)
        # Credit crosses episodes only if the memory persists across them.
        self.credit_crosses_episodes = self.policy.has_memory and not settings.wipe_memory
        self.updates = 0
        self.env_steps = 0

    def update(self) -> dict[str, float]:
        trials = self.collect()
        batch = self.make_batch(trials)
        if self.updates == 0:  # the critic starts with targets of unit variance
            self.policy.value_norm.update(batch.target[batch.mask])
        losses = self.optimize(batch)
        self.update_statistics(trials, batch)
        self.updates += 1
        self.env_steps += distributed.total(int(trials.mask.sum()))
        episode_returns = trials.episode_returns(self.env.episodes).mean(1)
        first, last = float(episode_returns[0]), float(episode_returns[-1])
        return {**distributed.average_metrics({"return_first": first, "return_last": last}), **losses}

    def collect(self) -> Rollout:
        """Run one trial in every environment, each on a newly drawn task."""
        tasks = self.distribution.tasks("train", self.shard.whole, derive_seed(self.seed, "tasks", self.updates))
        noise = ActionNoise(generator(self.seed, "actions", self.updates, device=self.env.device), self.shard)
        seed, keys = derive_seed(self.seed, "trial", self.updates), self.shard.keys(self.env.device)
        self.actor.begin(self.env.num_envs, noise)
        obs = self.env.begin(tasks[self.shard.rows], seed, keys)
        keep = {"sample", "input", "features", "dist_params"}
        if self.policy.observation_norm is not None:
            keep.add("obs")
        return rollout(self.env, self.actor, obs, keep, nan_cure=NAN_CURE)

    @torch.no_grad()
    def make_batch(self, trials: Rollout) -> Batch:
        """Compute advantages and the targets of the critic. In each column, taken steps come before steps at rest."""
        settings, policy, acted, reward = self.settings, self.policy, trials.acted, trials.reward
        times = clock(trials.time, trials.episode, self.env.horizon, self.env.episodes).to(reward.device)
        times = times.unsqueeze(1).expand(*reward.shape, CLOCK_SIZE)
        value = policy.value_norm.unscale(policy.network.value(acted.features, times))
        log_prob = policy.dist(acted.dist_params).log_prob(acted.sample)
        rows = [
            *acted.input, acted.sample, acted.dist_params, times, reward, value, log_prob, trials.done, trials.resting,
        ]  # fmt: skip
        if self.credit_crosses_episodes and bool(trials.resting.any()):
            order = returns.compact(trials.resting)
            rows = [returns.take_rows(row, order) for row in rows]
        obs, prev, action, dist_params, times, reward, value, log_prob, done, resting = rows

        ends = _last_taken(resting) if self.credit_crosses_episodes else done | resting
        value = value * ~resting
        advantage = returns.generalized_advantage(reward, value, ends, settings.gamma, settings.gae_lambda)
        target = advantage + value
        advantage = standardize(advantage, ~resting)
        reset_steps = trials.reset_steps if settings.wipe_memory else [0]
        return Batch(
            obs, prev, action, dist_params, times, reward, value, log_prob, advantage, target, ~resting, reset_steps
        )

    def optimize(self, batch: Batch) -> dict[str, float]:
        """Take a gradient step for each minibatch of each epoch; return metrics, such as the mean parts of the loss."""
        settings = self._annealed()
        shuffle = generator(self.seed, "minibatches", self.updates)
        old_log_std = self.policy.network.log_std.detach().clone()
        totals: dict[str, Tensor] = {}
        count = settings.epochs * settings.minibatches
        for _ in range(settings.epochs):
            for index in shuffled(self.shard.whole, settings.minibatches, shuffle):
                rows, weight = self.shard.local(index)
                minibatch = batch.environments(rows.to(self.env.device))
                loss, parts = ppo_loss(self.policy, minibatch, old_log_std, settings)
                self.optimizer.zero_grad()
                loss.backward()
                gradients = [p.grad for p in self.parameters if p.grad is not None]
                distributed.average_([*gradients, *parts.values()], minibatch.mask.sum() * weight)
                torch.nn.utils.clip_grad_norm_(self.parameters, settings.max_grad_norm)
                self.optimizer.step()
                if settings.target_kl > 0:
                    self._adapt_learning_rate(float(parts["kl"]))
                totals = {name: totals.get(name, 0.0) + value for name, value in parts.items()}
        metrics = {name: float(value) / count for name, value in totals.items()}
        if not all(map(math.isfinite, metrics.values())):
            raise MetarlError(f"the loss of update {self.updates} is not finite ({metrics}): {NAN_CURE}")
        value, target, log_std = batch.value[batch.mask], batch.target[batch.mask], self.policy.network.log_std.detach()
        return {
            **metrics,
            "explained_variance": returns.explained_variance(value, target, distributed.variance),
            **({"std": float(log_std.exp().mean())} if len(log_std) else {}),
            "learning_rate": self.optimizer.param_groups[0]["lr"],
        }

    def update_statistics(self, trials: Rollout, batch: Batch) -> None:
        """Update the running statistics, after the update, which must normalise inputs as the rollout did."""
        if self.policy.observation_norm is not None and trials.obs is not None:
            self.policy.observation_norm.update(trials.obs[trials.mask])
        self.policy.reward_norm.update(trials.reward[trials.mask])
        self.policy.value_norm.update(batch.target[batch.mask])

    def _annealed(self) -> PPOSettings:
        """Return the settings of this update, a function of the env steps so far, and set the learning rate."""
        settings = self.settings
        if not settings.anneal_steps:
            return settings
        left = max(1 - self.env_steps / settings.anneal_steps, ANNEALED)
        self.optimizer.param_groups[0]["lr"] = settings.learning_rate * left
        return replace(settings, entropy_coef=settings.entropy_coef * left)

    def _adapt_learning_rate(self, kl: float) -> None:
        """Adapt the learning rate to the target KL, as Schulman et al. 2017 (section 4) adapt a penalty's weight."""
        group, target = self.optimizer.param_groups[0], self.settings.target_kl
        if kl > 2 * target:
            group["lr"] = max(group["lr"] / 1.5, 1e-5)
        elif kl < target / 2:
            group["lr"] = min(group["lr"] * 1.5, 4e-3)

    def agent(self, deterministic: bool = True) -> PolicyAgent:
        return PolicyAgent(self.policy, deterministic)

    @classmethod
    def best_processes(cls, settings: PPOSettings, cores: int) -> int:
        """Return the largest number of processes with at least 16 trials each, and equally many of every minibatch."""
        fits = [w for w in range(1, cores + 1) if settings.num_envs % (w * settings.minibatches) == 0]
        return max(w for w in fits if w == 1 or settings.num_envs // w >= MIN_TRIALS)

    def check_memory(self, free: int) -> None:
        s, env = self.settings, self.env
        need = needed(self.policy, partial(ppo_loss, settings=s), env.environment.simulation.may_terminate)
        steps, multiple = env.horizon * env.episodes, math.lcm(s.minibatches, distributed.size())
        need.check(steps, s.num_envs, s.minibatches, multiple, free * distributed.size())

    def state_dict(self) -> dict[str, Any]:
        return {
            "policy": self.policy.state_dict(), "optimizer": self.optimizer.state_dict(),
            "updates": self.updates, "env_steps": self.env_steps,
        }  # fmt: skip

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.policy.load_state_dict(state["policy"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.updates, self.env_steps = state["updates"], state["env_steps"]


def _last_taken(resting: Tensor) -> Tensor:
    """Return bool [T, B]: whether a row is the last taken step of its environment, or at rest after it."""
    next_rests = torch.cat([resting[1:], torch.ones_like(resting[:1])])
    return resting | next_rests
