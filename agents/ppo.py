"""PPO over whole trials (Schulman et al. 2017): the learner of RL² and of its controls.

One update: every environment lives through one trial on a task of its own; advantages are computed over the whole
trial, so that credit flows from one episode into those before it; then a few epochs over minibatches of whole trials.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from metarl import numerics, parallel
from metarl.agent import Learner
from metarl.agents.capture import Captured
from metarl.agents.living import Living
from metarl.agents.memory import needed
from metarl.agents.noise import Noise
from metarl.agents.normalization import standardize
from metarl.agents.policy import CLOCK_SIZE, Policy, PolicyAgent, clock
from metarl.agents.ppo_loss import Batch, parts_of, ppo_loss, shuffled
from metarl.agents.ppo_settings import PPOSettings
from metarl.agents.rollout import Rollout, collect
from metarl.counted import derive_seed, generator
from metarl.distribution import TaskDistribution

ANNEALED = 0.05  # what is left of the learning rate and of the entropy's weight after `anneal_steps`


FEWEST_TRIALS = 16  # of a process


class PPOLearner(Learner):
    """Meta-trains one policy on one distribution."""

    data_parallel = True

    def __init__(
        self, distribution: TaskDistribution, settings: PPOSettings, seed: int, device: str, task_visible: bool = False
    ) -> None:
        self.distribution = distribution
        self.settings = settings
        self.seed = seed
        self.share = parallel.share("num_envs", settings.num_envs)
        self.env = distribution.make(self.share.count, device, task_visible=task_visible)
        with torch.random.fork_rng():
            torch.manual_seed(derive_seed(seed, "weights"))
            self.policy = Policy(self.env.observation_space, self.env.action_space, settings).to(device)
        self.living = Living(self.env, PolicyAgent(self.policy, deterministic=False))
        self.optimizer = torch.optim.Adam(
            self.policy.network.parameters(), settings.learning_rate, eps=1e-5, fused=True
        )
        self.updates = 0
        self.env_steps = 0
        self._derive = Captured(self._derivatives) if self.captures else self._derivatives
        # Credit crosses episodes only where something remembers them.
        self.across_episodes = self.policy.remembers and not settings.wipe_memory

    @property
    def captures(self) -> bool:
        """Whether a minibatch's gradient is a graph on a GPU: it is wanted, and all are of one shape and constants."""
        still = not self.settings.anneal_steps and not self.env.environment.simulation.may_terminate
        return self.settings.capture and still

    @classmethod
    def processes(cls, settings: PPOSettings, cores: int) -> int:
        """As many as have at least 16 trials each, of every minibatch equally many."""
        fits = [w for w in range(1, cores + 1) if settings.num_envs % (w * settings.minibatches) == 0]
        return max(w for w in fits if w == 1 or settings.num_envs // w >= FEWEST_TRIALS)

    def check_memory(self, free: int) -> None:
        s, env = self.settings, self.env
        need = needed(self.policy, partial(ppo_loss, settings=s), env.environment.simulation.may_terminate)
        steps, multiple = env.horizon * env.episodes, math.lcm(s.minibatches, parallel.size())
        need.check(steps, s.num_envs, s.minibatches, multiple, free * parallel.size())

    def agent(self, deterministic: bool = True) -> PolicyAgent:
        return PolicyAgent(self.policy, deterministic)

    def update(self) -> dict[str, float]:
        rollout = self._roll_out()
        batch = self._batch(rollout)
        if self.updates == 0:  # the critic starts with targets of unit size
            self.policy.value_norm.update(batch.target[batch.own])
        losses = self._optimise(batch)
        # Statistics move only now, so that the update saw what the rollout saw.
        own = ~rollout.resting
        if self.policy.observation_norm is not None and rollout.obs is not None:
            self.policy.observation_norm.update(rollout.obs[own])
        self.policy.reward_norm.update(rollout.reward[own])
        self.policy.value_norm.update(batch.target[batch.own])
        self.updates += 1
        self.env_steps += parallel.total(int(own.sum()))
        returns = rollout.episode_returns(self.env.episodes).mean(1)
        return {**parallel.mean_of({"return_first": float(returns[0]), "return_last": float(returns[-1])}), **losses}

    def _roll_out(self) -> Rollout:
        tasks = self.distribution.tasks("train", self.share.whole, derive_seed(self.seed, "tasks", self.updates))
        noise = generator(self.seed, "actions", self.updates, device=self.env.device)
        self.living.agent.noise = Noise(noise, self.share)
        seed, keys = derive_seed(self.seed, "trial", self.updates), self.share.keys(self.env.device)
        return collect(self.living, tasks[self.share.rows], seed, keys)

    @torch.no_grad()
    def _batch(self, rollout: Rollout) -> Batch:
        """What the losses need, [T, B, ...], each environment's own steps first."""
        settings, policy = self.settings, self.policy
        reward = rollout.reward
        times = clock(rollout.time, rollout.episode, self.env.horizon, self.env.episodes).to(reward.device)
        times = times.unsqueeze(1).expand(*reward.shape, CLOCK_SIZE)
        value = policy.value_norm.unscale(policy.network.value(rollout.features, times))
        log_prob = policy.law(rollout.out).log_prob(rollout.action)
        rows = [
            *rollout.seen, rollout.action, rollout.out, times, reward, value, log_prob, rollout.done, rollout.resting,
        ]  # fmt: skip
        if self.across_episodes and bool(rollout.resting.any()):
            order = numerics.compact(rollout.resting)
            rows = [numerics.take_rows(row, order) for row in rows]
        now, before, action, out, times, reward, value, log_prob, done, resting = rows
        ends = done | resting if not self.across_episodes else _last_own(resting)
        value = value * ~resting
        advantage = numerics.generalized_advantage(reward, value, ends, settings.gamma, settings.lam)
        target = advantage + value
        own = ~resting
        advantage = standardize(advantage, own)
        starts = rollout.starts if settings.wipe_memory else [0]
        return Batch(now, before, action, reward, out, times, value, log_prob, advantage, target, own, starts)

    def _optimise(self, batch: Batch) -> dict[str, float]:
        settings = self._annealed()
        shuffle = generator(self.seed, "minibatches", self.updates)
        old_log_std = self.policy.network.log_std.detach().clone()
        totals: dict[str, Tensor] = {}
        count = settings.epochs * settings.minibatches
        for _ in range(settings.epochs):
            for index in shuffled(self.share.whole, settings.minibatches, shuffle):
                parts = self._gradients(batch, index, old_log_std, settings)
                torch.nn.utils.clip_grad_norm_(self.policy.network.parameters(), settings.max_grad_norm)
                self.optimizer.step()
                if settings.target_kl > 0:
                    self._adapt_rate(float(parts["kl"]))
                totals = {name: totals.get(name, 0.0) + value for name, value in parts.items()}
        own = batch.own
        return {
            **{name: float(value) / count for name, value in totals.items()},
            "explained_variance": numerics.explained_variance(batch.value[own], batch.target[own], parallel.variance),
            **({"std": float(log_std.exp().mean())} if len(log_std := self.policy.network.log_std.detach()) else {}),
            "learning_rate": self.optimizer.param_groups[0]["lr"],
        }

    def _annealed(self) -> PPOSettings:
        """The settings of this update, a function of the env steps so far; the optimiser's learning rate is set."""
        settings = self.settings
        if not settings.anneal_steps:
            return settings
        left = max(1 - self.env_steps / settings.anneal_steps, ANNEALED)
        self.optimizer.param_groups[0]["lr"] = settings.learning_rate * left
        return replace(settings, entropy_coef=settings.entropy_coef * left)

    def _gradients(
        self, batch: Batch, index: Tensor, old_log_std: Tensor, settings: PPOSettings
    ) -> dict[str, Tensor]:  # fmt: skip
        """Set the gradients of the loss of some trials of the whole meta-batch, wherever they are; the loss's parts."""
        here = self.share.own(index)
        weigh = len(here) > 0  # a process that has none of them counts for nothing
        part = batch.environments((here if weigh else here.new_zeros(1)).to(self.env.device))
        weights = list(self.policy.network.parameters())
        tensors = [value for value in vars(part).values() if isinstance(value, Tensor)]
        found = self._derive((settings, tuple(part.starts)), old_log_std, *tensors)
        for weight, gradient in zip(weights, found[: len(weights)], strict=True):
            weight.grad = gradient
        parts: dict[str, Tensor] = dict(zip(parts_of(settings), found[len(weights) :], strict=True))
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        parallel.mean_([*gradients, *parts.values()], part.own.sum() * weigh)
        return parts

    def _derivatives(
        self, constants: tuple[PPOSettings, tuple[int, ...]], old_log_std: Tensor, *tensors: Tensor
    ) -> tuple[Any, ...]:
        """Of the loss of a Batch of these tensors: the gradient of each weight, then the loss's parts."""
        settings, starts = constants
        loss, parts = ppo_loss(self.policy, Batch(*tensors, list(starts)), old_log_std, settings)  # type: ignore[arg-type]
        weights = list(self.policy.network.parameters())
        return *torch.autograd.grad(loss, weights, allow_unused=True), *(parts[name] for name in parts_of(settings))

    def _adapt_rate(self, kl: float) -> None:
        """Keep updates near the KL wanted, as Schulman et al. 2017 (section 4) do by a penalty's weight."""
        group, target = self.optimizer.param_groups[0], self.settings.target_kl
        if kl > 2 * target:
            group["lr"] = max(group["lr"] / 1.5, 1e-5)
        elif kl < target / 2:
            group["lr"] = min(group["lr"] * 1.5, 4e-3)

    def state_dict(self) -> dict[str, Any]:
        return {
            "policy": self.policy.state_dict(), "optimizer": self.optimizer.state_dict(),
            "updates": self.updates, "env_steps": self.env_steps,
        }  # fmt: skip

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.policy.load_state_dict(state["policy"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.updates, self.env_steps = state["updates"], state["env_steps"]


def _last_own(resting: Tensor) -> Tensor:
    """bool [T, B]: the row of each environment's last own step, and the rests after it (own steps come first)."""
    next_rests = torch.cat([resting[1:], torch.ones_like(resting[:1])])
    return resting | next_rests
