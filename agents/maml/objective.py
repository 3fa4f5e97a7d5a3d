"""The outer objective: what the adapted policies are worth, as a differentiable function of the initial weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from metarl.agents.action_distributions import ActionDistribution
from metarl.agents.maml.adaptation_batch import AdaptationBatch
from metarl.agents.maml.policy import MetaPolicy
from metarl.agents.maml.surrogates import per_task_mean
from metarl.runtime import distributed


class Replay(NamedTuple):
    """The inner loop taken again from the present initial weights, on experience gathered before."""

    inner_kl: Tensor  # [M], of the pre-update policies from those that sampled
    pre_update: Tensor  # [M], mean log-ratio of the pre-update actions
    ratio: Tensor  # [M, N, T], probability of post-update actions now over then
    dist: ActionDistribution  # the adapted policies on the query states


def replay(policy: MetaPolicy, batches: Sequence[AdaptationBatch], differentiable: bool = True) -> Replay:
    """Adapt all tasks step by step, then look at the query batch with what comes out."""
    *support, query = batches
    params = policy.network.params(len(query.reward))
    zero = query.reward.new_zeros(len(query.reward))
    inner_kl, pre_update = zero, zero
    settings = policy.settings
    for batch in support:
        dist = policy.dist(params, batch.obs)
        if settings.inner_kl_coef > 0:
            inner_kl = inner_kl + divergence(policy, batch, dist) / len(support)
        if settings.exploration_coef > 0:
            log_ratio = dist.log_prob(batch.action) - batch.log_prob
            pre_update = pre_update + per_task_mean(log_ratio, batch.weight) / len(support)
        params = policy.adapt(params, batch, differentiable, dist)
    dist = policy.dist(params, query.obs)
    ratio = (dist.log_prob(query.action) - query.log_prob).exp()
    return Replay(inner_kl, pre_update, ratio, dist)


def divergence(policy: MetaPolicy, batch: AdaptationBatch, dist: ActionDistribution) -> Tensor:
    """[M]: mean KL divergence in a batch's states of a distribution from the one that sampled.

    In the query batch that was each task's adapted policy.
    """
    old = policy.actions.dist(batch.dist_params, batch.log_std)
    return per_task_mean(old.kl(dist), batch.weight)  # type: ignore[arg-type]


def penalties(policy: MetaPolicy, batches: Sequence[AdaptationBatch], now: Replay) -> Tensor:
    r"""ProMP's $\eta\,\mathrm{KL}(\pi_{old}||\pi_\theta)$ (Rothfuss et al. 2019, equation 11) and E-MAML's term.

    E-MAML (Stadie et al. 2018, equation 6) credits what was done before the update for what was earned after it: here
    the log-likelihood of each task's pre-update actions by its mean return after the update, standardised over tasks.
    """
    settings = policy.settings
    penalty = settings.inner_kl_coef * now.inner_kl.mean()
    if settings.exploration_coef == 0:
        return penalty
    earned = batches[-1].returns.mean(1)
    mean, std = distributed.mean_and_std(earned, correction=0)
    advantage = (earned - mean) / (std + 1e-8)
    return penalty - settings.exploration_coef * (now.pre_update * advantage).mean()


def surrogate(query: AdaptationBatch, ratio: Tensor) -> Tensor:
    """The mean over tasks of what the importance-weighted advantages lose; []."""
    return -per_task_mean(ratio, query.advantage * query.weight).mean()


def clipped_surrogate(query: AdaptationBatch, ratio: Tensor, clip: float) -> Tensor:
    r"""The same, clipped (Schulman et al. 2017, equation 7).

    $\min(rA, \mathrm{clip}(r)A) = A + |A| \min((r - 1)\,\mathrm{sign} A, \epsilon)$, of which autograd takes a third of
    the time.
    """
    weight = query.advantage * query.weight
    gain = ((ratio - 1) * weight.sign()).clamp(max=clip)
    return -(weight + gain * weight.abs()).sum((1, 2)).mean()
