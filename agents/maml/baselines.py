"""Baselines, which predict the return of a step: a linear fit for each task, or one network for all tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from metarl.agents.networks.actor_critic import mlp
from metarl.core.rng import generator
from metarl.runtime import distributed


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
