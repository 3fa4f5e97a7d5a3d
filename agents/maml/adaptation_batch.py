"""The experience of M tasks between two gradient steps, and its advantages."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from metarl.agents.maml.baselines import Baseline
from metarl.agents.maml.surrogates import per_task_mean
from metarl.core import returns


@dataclass
class AdaptationBatch:
    """N rollouts of T steps for each of M tasks, sampled with separate weights for each task; [M, N, T, ...]."""

    obs: Tensor  # [M, N, T, *observation], normalised by the statistics at sampling time
    action: Tensor  # as sampled, before clipping
    dist_params: Tensor  # [M, N, T, P], the network's outputs
    log_std: Tensor  # [M, 1, 1, A] at sampling time
    log_prob: Tensor  # [M, N, T] at sampling time
    reward: Tensor  # [M, N, T], raw, 0 at rest
    mask: Tensor  # float32 [M, N, T], 1 where a step was taken
    weight: Tensor  # [M, N, T], step weights: 1 / the number of taken steps of the task; 0 at rest
    advantage: Tensor  # [M, N, T], standardised within each task; zeros until `compute_advantages`

    @property
    def returns(self) -> Tensor:
        """Undiscounted return of each rollout [M, N]."""
        return self.reward.sum(2)

    def tasks(self, index: Tensor) -> AdaptationBatch:
        """Return the batch of the tasks in `index`, int64."""
        return AdaptationBatch(**{name: value[index] for name, value in vars(self).items()})


def compute_advantages(batch: AdaptationBatch, baseline: Baseline, gamma: float, gae_lambda: float) -> Tensor:
    """Set the batch's advantages and return the returns-to-go [M, N, T]. The value after a rollout is 0."""
    mask = batch.mask
    to_go = _backwards(batch.reward, torch.zeros_like(mask), mask, gamma, 1.0)
    value = baseline.values(batch.obs, to_go, mask) * mask
    advantage = _backwards(batch.reward, value, mask, gamma, gae_lambda)
    mean = per_task_mean(advantage, batch.weight)[:, None, None]
    centred = (advantage - mean) * mask
    spread = per_task_mean(centred.square(), batch.weight).sqrt()[:, None, None]
    batch.advantage = centred / (spread + 1e-8)
    return to_go


def _backwards(reward: Tensor, value: Tensor, mask: Tensor, gamma: float, gae_lambda: float) -> Tensor:
    """Return generalised advantages [M, N, T]; with value 0 and lambda 1 they are discounted sums of rewards."""
    time_first = [x.movedim(2, 0) for x in (reward, value, mask)]
    rests = time_first[2] == 0
    ends = rests | torch.cat([rests[1:], torch.ones_like(rests[:1])])
    return returns.generalized_advantage(time_first[0], time_first[1], ends, gamma, gae_lambda).movedim(0, 2)
