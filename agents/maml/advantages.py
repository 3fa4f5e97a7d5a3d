"""The experience of M tasks between two gradient steps, baselines of its returns, and its advantages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from metarl.agents.networks.actor_critic import mlp
from metarl.core import returns
from metarl.core.rng import generator
from metarl.runtime import distributed


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


def step_weights(mask: Tensor) -> Tensor:
    """Return the weight of each step in the mean over its task's taken steps, [M, N, T]; 0 at rest."""
    return mask / mask.sum((1, 2), keepdim=True).clamp(min=1)


def per_task_mean(x: Tensor, weight: Tensor) -> Tensor:
    """Return the mean of x [M, N, T] over each task's taken steps, [M]; `weight` may contain a constant factor."""
    return (x * weight).sum((1, 2))


# Baselines: a linear fit for each task, or one network for all tasks --------------------------------------------------


class BaselineData(NamedTuple):
    """Observations and returns of M tasks x N rollouts x T steps."""

    obs: Tensor  # [M, N, T, *observation], normalised
    returns: Tensor  # returns-to-go [M, N, T]
    mask: Tensor  # float32 [M, N, T], 1 where a step was taken


class Baseline(Protocol):
    """A function that predicts returns-to-go.

    obs: normalised observations [M, N, T, *observation]. returns: returns-to-go [M, N, T]. mask: float32 [M, N, T].
    """

    def values(self, obs: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
        """Return the predicted returns-to-go [M, N, T]."""
        ...

    def learn(self, batches: Sequence[BaselineData]) -> None:
        """Learn from the batches of an update."""


class LinearBaseline(nn.Module):
    r"""Ridge regression of returns on $(o, o^2, t, t^2, t^3, 1)$, t in hundreds of steps (Duan et al. 2016, section 6).

    It is fitted for each task and each call, on the data that it predicts. For planes and pixels, the features are
    those of time alone.
    """

    ridge = 1e-5

    def values(self, obs: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
        # In double precision the small ridge is enough for constant features.
        x = (self.features(obs) * mask.flatten(1).unsqueeze(-1)).double()  # [M, S, F]
        y = (returns * mask).flatten(1).unsqueeze(-1).double()
        ridge = self.ridge * torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
        weights = torch.linalg.solve(x.mT @ x + ridge, x.mT @ y)
        return (x @ weights).view_as(returns).to(returns.dtype)

    def learn(self, batches: Sequence[BaselineData]) -> None:
        """Do nothing: the fit is made in `values`."""

    @staticmethod
    def features(obs: Tensor) -> Tensor:
        """Return features [M, N * T, F] of observations [M, N, T, *observation]."""
        m, n, steps = obs.shape[:3]
        t = torch.arange(steps, device=obs.device, dtype=torch.float32) / 100
        time = torch.stack([t, t**2, t**3, torch.ones_like(t)], -1).expand(m, n, steps, 4)
        parts = [time] if obs.dim() > 4 else [obs, obs.square(), time]
        return torch.cat(parts, -1).flatten(1, 2)


class ValueBaseline(nn.Module):
    """One network of (observation, steps / 100) for all tasks, trained on returns after each update."""

    shift: Tensor
    scale: Tensor
    updates: Tensor

    def __init__(self, size: int, hidden_size: int, learning_rate: float, epochs: int) -> None:
        super().__init__()
        self.network = mlp([size + 1, hidden_size, hidden_size, 1], last_gain=1.0)
        self.register_buffer("shift", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))
        self.epochs = epochs
        self.optimizer = torch.optim.Adam(self.network.parameters(), learning_rate)
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))  # saved: it seeds the minibatches

    @torch.no_grad()
    def values(self, obs: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
        return self.shift + self.scale * self.network(self._inputs(obs)).squeeze(-1)

    def learn(self, batches: Sequence[BaselineData]) -> None:
        # All batches at once, so that targets and predictions have one unit.
        x = torch.cat([self._inputs(batch.obs)[batch.mask.bool()] for batch in batches])
        returns = torch.cat([batch.returns[batch.mask.bool()] for batch in batches])
        mean, std = distributed.mean_and_std(returns, correction=0)
        self.shift.copy_(mean)
        self.scale.copy_(std.clamp(min=1e-6))
        target = (returns - self.shift) / self.scale
        shuffle = generator(int(self.updates), "value baseline")
        steps = distributed.span(len(x))
        for _ in range(self.epochs):
            for index in torch.randperm(steps.whole, generator=shuffle).split(4096):
                rows, weight = steps.local(index.to(x.device))
                loss = (self.network(x[rows]).squeeze(-1) - target[rows]).square().sum() / len(rows)
                self.optimizer.zero_grad()
                loss.backward()
                gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
                distributed.average_(gradients, len(rows) * weight)
                self.optimizer.step()
        self.updates += 1

    def get_extra_state(self) -> dict:
        """Return the state of Adam, so that a resumed run continues bit for bit."""
        return self.optimizer.state_dict()

    def set_extra_state(self, state: dict) -> None:
        self.optimizer.load_state_dict(state)

    def _inputs(self, obs: Tensor) -> Tensor:
        """Return inputs [M, N, T, I + 1] for observations [M, N, T, *observation] of I numbers."""
        steps = obs.shape[2]
        t = torch.arange(steps, device=obs.device, dtype=torch.float32) / 100
        obs = obs.float() / 255 if obs.dtype == torch.uint8 else obs
        return torch.cat([obs.flatten(3), t[:, None].expand(*obs.shape[:3], 1)], -1)
