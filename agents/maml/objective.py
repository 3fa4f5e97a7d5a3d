"""The outer objective: what the adapted policies are worth, as a differentiable function of the initial weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from metarl import parallel
from metarl.agents.action_laws import Law
from metarl.agents.maml.experience import Phase
from metarl.agents.maml.policy import MetaPolicy
from metarl.agents.maml.surrogates import per_task_mean


class Replay(NamedTuple):
    """The inner loop taken again from the present initial weights, on experience gathered before."""

    inner_kl: Tensor  # [M], of the pre-update policies from those that sampled
    pre_update: Tensor  # [M], mean log-ratio of the pre-update actions
    ratio: Tensor  # [M, N, T], probability of post-update actions now over then
    kl: Tensor  # [M], of the adapted policies from those that sampled
    law: Law  # the adapted policies on the query states


def replay(policy: MetaPolicy, phases: Sequence[Phase], differentiable: bool = True) -> Replay:
    """Adapt all tasks step by step, then look at the query phase with what comes out.

    The old policy of the query phase is each task's adapted policy at sampling time.
    """
    *support, query = phases
    params = policy.network.params(len(query.reward))
    zero = query.reward.new_zeros(len(query.reward))
    inner_kl, pre_update = zero, zero
    settings = policy.settings
    for phase in support:
        law = policy.law(params, phase.obs)
        if settings.inner_kl_coef > 0:
            inner_kl = inner_kl + per_task_mean(_old_law(policy, phase).kl(law), phase.own) / len(support)  # type: ignore[arg-type]
        if settings.exploration_coef > 0:
            log_ratio = law.log_prob(phase.action) - phase.log_prob
            pre_update = pre_update + per_task_mean(log_ratio, phase.own) / len(support)
        params = policy.adapt(params, phase, differentiable, law)
    law = policy.law(params, query.obs)
    ratio = (law.log_prob(query.action) - query.log_prob).exp()
    kl = per_task_mean(_old_law(policy, query).kl(law), query.own)  # type: ignore[arg-type]
    return Replay(inner_kl, pre_update, ratio, kl, law)


def penalties(policy: MetaPolicy, phases: Sequence[Phase], now: Replay) -> Tensor:
    r"""ProMP's $\eta\,\mathrm{KL}(\pi_{old}||\pi_\theta)$ (Rothfuss et al. 2019, equation 11) and E-MAML's term.

    E-MAML (Stadie et al. 2018, equation 6) credits what was done before the update for what was earned after it: here
    the log-likelihood of each task's pre-update actions by its mean return after the update, standardised over tasks.
    """
    settings = policy.settings
    earned = phases[-1].returns.mean(1)
    mean, std = parallel.mean_and_std(earned, correction=0)
    advantage = (earned - mean) / (std + 1e-8)
    return (
        settings.inner_kl_coef * now.inner_kl.mean() - settings.exploration_coef * (now.pre_update * advantage).mean()
    )


def surrogate(query: Phase, ratio: Tensor) -> Tensor:
    """The mean over tasks of what the importance-weighted advantages lose; []."""
    return -per_task_mean(ratio * query.advantage, query.own).mean()


def clipped_surrogate(query: Phase, ratio: Tensor, clip: float) -> Tensor:
    """The same, clipped (Schulman et al. 2017, equation 7)."""
    clipped = torch.min(ratio * query.advantage, ratio.clamp(1 - clip, 1 + clip) * query.advantage)
    return -per_task_mean(clipped, query.own).mean()


def _old_law(policy: MetaPolicy, phase: Phase) -> Law:
    return policy.actions.law(phase.out, phase.log_std)
