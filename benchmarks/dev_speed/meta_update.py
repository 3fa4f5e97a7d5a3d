"""The gradient of one outer step of ProMP on a sampled meta-batch, for all tasks at once and in loops over tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

from metarl.agents.maml.advantages import AdaptationBatch
from metarl.agents.maml.objective import clipped_surrogate, penalties, replay
from metarl.benchmarks.dev_speed.meta_iteration import MetaIteration
from metarl.benchmarks.dev_speed.side import Side

LOOPS = {"loop": "a loop, torch.distributions", "lean loop": "a loop, written-out distributions"}
HALF_LOG_TAU = 0.9189385332046727


class MetaUpdate(Side):
    """The outer gradient at the current weights, which do not change. Work is counted in the meta-batch's env steps.

    iteration: one of ProMP that has sampled a meta-batch.
    way: "batched" (this package), "loop" (one task after the other in plain torch, with torch.distributions) or "lean
    loop" (the same with log-probability and divergence written out).
    """

    def __init__(self, iteration: MetaIteration, way: str) -> None:
        self.iteration = iteration
        dists = {"loop": (_torch_gaussian, _torch_kl), "lean loop": (DiagonalGaussian, DiagonalGaussian.kl)}
        self._gradient: Callable[[], Any] = self._batched if way == "batched" else lambda: self._loop(*dists[way])

    def work(self) -> int:
        for weight in self.weights():
            weight.grad = None
        self._gradient()
        return sum(batch.reward.numel() for batch in self.iteration.batches)

    def weights(self) -> list[Tensor]:
        """Return the differentiated weights."""
        return list(self.iteration.learner.policy.network.parameters())

    def _batched(self) -> None:
        policy, batches = self.iteration.learner.policy, self.iteration.batches
        now = replay(policy, batches)
        (
            clipped_surrogate(batches[-1], now.ratio, policy.settings.clip_coef) + penalties(policy, batches, now)
        ).backward()

    def _loop(self, make_dist: Callable[[Tensor, Tensor], Any], kl: Callable[[Any, Any], Tensor]) -> None:
        policy, (support, query) = self.iteration.learner.policy, self.iteration.batches
        settings, weights = policy.settings, dict(policy.network.meta.items())

        def policy_dist(params: dict[str, Tensor], obs: Tensor) -> Any:
            for i in range(settings.layers):
                obs = torch.tanh(torch.addmm(params[f"layer{i}_bias"], obs, params[f"layer{i}_weight"]))
            return make_dist(torch.addmm(params["head_bias"], obs, params["head_weight"]), params["log_std"])

        tasks = len(query.reward)
        for task in range(tasks):
            obs, action, log_prob, advantage = _rows(support, task)
            dist = policy_dist(weights, obs)
            loss = -((dist.log_prob(action) - log_prob).exp() * advantage).mean()
            old = make_dist(support.dist_params[task].flatten(0, 1), support.log_std[task].flatten())
            inner_kl = kl(old, dist).mean()
            grads = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
            adapted = {n: w - settings.inner_lr * g for (n, w), g in zip(weights.items(), grads, strict=True)}
            obs, action, log_prob, advantage = _rows(query, task)
            ratio = (policy_dist(adapted, obs).log_prob(action) - log_prob).exp()
            clipped = ratio.clamp(1 - settings.clip_coef, 1 + settings.clip_coef)
            outer = -torch.min(ratio * advantage, clipped * advantage).mean()
            ((outer + settings.inner_kl_coef * inner_kl) / tasks).backward()


class DiagonalGaussian:
    """A diagonal Gaussian with log-probability and KL divergence written out."""

    def __init__(self, mean: Tensor, log_std: Tensor) -> None:
        self.mean, self.log_std = mean, log_std

    def log_prob(self, action: Tensor) -> Tensor:
        z = (action - self.mean) * (-self.log_std).exp()
        return -0.5 * z.square().sum(-1) - self.log_std.sum() - HALF_LOG_TAU * action.shape[-1]

    def kl(self, other: DiagonalGaussian) -> Tensor:
        change = self.log_std - other.log_std
        z = (self.mean - other.mean) * (-other.log_std).exp()
        return 0.5 * z.square().sum(-1) + (0.5 * (2 * change).exp() - 0.5 - change).sum()


def _torch_gaussian(mean: Tensor, log_std: Tensor) -> Independent:
    return Independent(Normal(mean, log_std.exp()), 1)


_torch_kl: Callable[[Any, Any], Tensor] = kl_divergence


def _rows(batch: AdaptationBatch, task: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return observations, actions, log-probabilities and advantages of all steps of a task; none is at rest."""
    obs, action = (x[task].flatten(0, 1) for x in (batch.obs, batch.action))
    return obs, action, batch.log_prob[task].flatten(), batch.advantage[task].flatten()
