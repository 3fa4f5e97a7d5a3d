"""The outer objective: the performance of adapted policies, as a differentiable function of the initial weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from metarl.agents.action_distributions import ActionDistribution
from metarl.agents.maml.advantages import AdaptationBatch, per_task_mean
from metarl.agents.maml.policy import MetaPolicy
from metarl.runtime import distributed


class ReplayResult(NamedTuple):
    """The adapted policies that the current initial weights lead to, evaluated on a meta-batch."""

    inner_kl: Tensor  # [M], mean KL divergence of the pre-update policies from those that sampled
    pre_update_log_ratio: Tensor  # [M], mean log-ratio of the pre-update actions
    ratio: Tensor  # [M, N, T], probability ratio of the query actions: current over at sampling time
    dist: ActionDistribution  # of the adapted policies on the query observations


def replay(policy: MetaPolicy, batches: Sequence[AdaptationBatch], differentiable: bool = True) -> ReplayResult:
    """Repeat the inner steps of a meta-batch from the current initial weights, and evaluate its query batch.

    batches: one per inner step, then the query batch.
    """
    *support, query = batches
    params = policy.network.params(len(query.reward))
    zero = query.reward.new_zeros(len(query.reward))
    inner_kl, pre_update_log_ratio = zero, zero
    settings = policy.settings
    for batch in support:
        dist = policy.dist(params, batch.obs)
        if settings.inner_kl_coef > 0:
            inner_kl = inner_kl + divergence(policy, batch, dist) / len(support)
        if settings.exploration_coef > 0:
            log_ratio = dist.log_prob(batch.action) - batch.log_prob
            pre_update_log_ratio = pre_update_log_ratio + per_task_mean(log_ratio, batch.weight) / len(support)
        params = policy.adapt(params, batch, differentiable, dist)
    dist = policy.dist(params, query.obs)
    ratio = (dist.log_prob(query.action) - query.log_prob).exp()
    return ReplayResult(inner_kl, pre_update_log_ratio, ratio, dist)


def divergence(policy: MetaPolicy, batch: AdaptationBatch, dist: ActionDistribution) -> Tensor:
    """Return the mean KL divergence of `dist` from the distribution that sampled the batch, [M].

    The query batch was sampled by the adapted policy of each task.
    """
    old = policy.actions.dist(batch.dist_params, batch.log_std)
    return per_task_mean(old.kl(dist), batch.weight)  # type: ignore[arg-type]


def penalties(policy: MetaPolicy, batches: Sequence[AdaptationBatch], result: ReplayResult) -> Tensor:
    r"""Return ProMP's $\eta\,\mathrm{KL}(\pi_{old}||\pi_\theta)$ (Rothfuss et al. 2019, equation 11) + E-MAML's term.

    E-MAML (Stadie et al. 2018, equation 6) gives pre-update actions credit for the return after the update. Its term
    is the log-likelihood of each task's pre-update actions times its mean return after the update, standardised over
    tasks.
    """
    settings = policy.settings
    penalty = settings.inner_kl_coef * result.inner_kl.mean()
    if settings.exploration_coef == 0:
        return penalty
    task_return = batches[-1].returns.mean(1)
    mean, std = distributed.mean_and_std(task_return, correction=0)
    advantage = (task_return - mean) / (std + 1e-8)
    return penalty - settings.exploration_coef * (result.pre_update_log_ratio * advantage).mean()


def surrogate(query: AdaptationBatch, ratio: Tensor) -> Tensor:
    """Return the negative mean over tasks of the importance-weighted advantages; []."""
    return -per_task_mean(ratio, query.advantage * query.weight).mean()


def clipped_surrogate(query: AdaptationBatch, ratio: Tensor, clip: float) -> Tensor:
    r"""Return the clipped surrogate (Schulman et al. 2017, equation 7); [].

    It is computed as $\min(rA, \mathrm{clip}(r)A) = A + |A| \min((r - 1)\,\mathrm{sign} A, \epsilon)$, which takes
    autograd a third of the time.
    """
    weighted_advantage = query.advantage * query.weight
    gain = ((ratio - 1) * weighted_advantage.sign()).clamp(max=clip)
    return -(weighted_advantage + gain * weighted_advantage.abs()).sum((1, 2)).mean()
