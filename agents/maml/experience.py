"""What M tasks lived through in one phase between two gradient steps, and the advantages of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from metarl import numerics
from metarl.agents.action_laws import Law
from metarl.agents.actions import Actions
from metarl.agents.maml.baselines import Baseline
from metarl.agents.maml.network import Network, Params
from metarl.agents.maml.surrogates import per_task_mean


@dataclass
class Phase:
    """N rollouts of T steps for each of M tasks, under weights of each task's own; [M, N, T, ...]."""

    obs: Tensor  # normalised as it was then
    action: Tensor  # as sampled, before the world's limits
    out: Tensor  # [M, N, T, P], what the network put out
    log_std: Tensor  # [M, 1, 1, A] at sampling time
    log_prob: Tensor  # [M, N, T] at sampling time
    reward: Tensor  # [M, N, T], raw, 0 at rest
    own: Tensor  # float32 [M, N, T], 1 where something was lived through
    share: Tensor  # [M, N, T], what each step counts in the mean over its task's own
    advantage: Tensor  # [M, N, T], standardised within each task; zeros until `credit`

    @property
    def returns(self) -> Tensor:
        """[M, N]: undiscounted return of each rollout."""
        return self.reward.sum(2)

    def tasks(self, index: Tensor) -> Phase:
        """The rows of some tasks."""
        return Phase(**{name: value[index] for name, value in vars(self).items()})


def credit(phase: Phase, baseline: Baseline, gamma: float, lam: float) -> Tensor:
    """Set the phase's advantages; returns-to-go [M, N, T]. The end of a rollout ends credit: its value is 0 there."""
    own = phase.own
    returns = _backwards(phase.reward, torch.zeros_like(own), own, gamma, 1.0)
    value = baseline.values(phase.obs, returns, own) * own
    advantage = _backwards(phase.reward, value, own, gamma, lam)
    mean = per_task_mean(advantage, phase.share)[:, None, None]
    centred = (advantage - mean) * own
    spread = per_task_mean(centred.square(), phase.share).sqrt()[:, None, None]
    phase.advantage = centred / (spread + 1e-8)
    return returns


def _backwards(reward: Tensor, value: Tensor, own: Tensor, gamma: float, lam: float) -> Tensor:
    """Generalised advantages of [M, N, T], own steps first; a sum of discounted rewards where value is 0, lam 1."""
    time_first = [x.movedim(2, 0) for x in (reward, value, own)]
    rests = time_first[2] == 0
    ends = rests | torch.cat([rests[1:], torch.ones_like(rests[:1])])
    return numerics.generalized_advantage(time_first[0], time_first[1], ends, gamma, lam).movedim(0, 2)


def law_of(network: Network, actions: Actions, params: Params, obs: Tensor) -> Law:
    """The law of actions in observations [M, N, T, *shape], each task under weights of its own."""
    m, n, t = obs.shape[:3]
    out = network(params, obs.flatten(1, 2)).view(m, n, t, -1)
    return actions.law(out, log_std_of(params, obs))


def log_std_of(params: Params, like: Tensor) -> Tensor:
    """[M, 1, 1, A] (A = 0 where actions are discrete)."""
    log_std = params.get("log_std")
    return like.new_zeros(len(like), 1, 1, 0) if log_std is None else log_std[:, None, None]
