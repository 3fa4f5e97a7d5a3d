"""What return to expect from a step: a linear fit for each task, or one network for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from metarl.agents.networks.actor_critic import mlp
from metarl.core.rng import generator
from metarl.runtime import distributed


class BaselineData(NamedTuple):
    """What M tasks x N rollouts saw and earned in one batch."""

    obs: Tensor  # [M, N, T, *observation], normalised
    returns: Tensor  # to go, [M, N, T]
    mask: Tensor  # [M, N, T]


class Baseline(Protocol):
    """obs [M, N, T, *observation], normalised; returns-to-go, mask, values [M, N, T]."""

    def values(self, obs: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
        """What to expect in each step, before the advantage is taken."""
        ...

    def learn(self, batches: Sequence[BaselineData]) -> None:
        """What was to be expected in the batches of an update."""


class LinearBaseline(nn.Module):
    r"""Ridge regression of returns on $(o, o^2, t, t^2, t^3, 1)$, t in hundreds of steps (Duan et al. 2016, section 6).

    Fitted to each task's steps anew, on the data it predicts. For planes and pixels the features are those of time.
    """

    ridge = 1e-5

    def values(self, obs: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
        # In double precision, so that the small ridge is enough for features that are constant.
        x = (self.features(obs) * mask.flatten(1).unsqueeze(-1)).double()  # [M, S, F]
        y = (returns * mask).flatten(1).unsqueeze(-1).double()
        ridge = self.ridge * torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
        weights = torch.linalg.solve(x.mT @ x + ridge, x.mT @ y)
        return (x @ weights).view_as(returns).to(returns.dtype)

    def learn(self, batches: Sequence[BaselineData]) -> None:
        """Nothing is kept."""

    @staticmethod
    def features(obs: Tensor) -> Tensor:
        """[M, N * T, F]."""
        m, n, steps = obs.shape[:3]
        t = torch.arange(steps, device=obs.device, dtype=torch.float32) / 100
        time = torch.stack([t, t**2, t**3, torch.ones_like(t)], -1).expand(m, n, steps, 4)
        parts = [time] if obs.dim() > 4 else [obs, obs.square(), time]
        return torch.cat(parts, -1).flatten(1, 2)


class ValueBaseline(nn.Module):
    """One network of (observation, hundreds of steps gone by) for all tasks, trained on returns after each update."""

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
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))  # saved, so that minibatches go on

    @torch.no_grad()
    def values(self, obs: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
        return self.shift + self.scale * self._out(obs)

    def learn(self, batches: Sequence[BaselineData]) -> None:
        # All batches at once: targets of one unit, the one that predictions are in.
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
                here, weight = steps.local(index.to(x.device))
                loss = (self.network(x[here]).squeeze(-1) - target[here]).square().sum() / len(here)
                self.optimizer.zero_grad()
                loss.backward()
                gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
                distributed.average_(gradients, len(here) * weight)
                self.optimizer.step()
        self.updates += 1

    def get_extra_state(self) -> dict:
        """Adam's, so that a resumed run goes on as it was."""
        return self.optimizer.state_dict()

    def set_extra_state(self, state: dict) -> None:
        self.optimizer.load_state_dict(state)

    def _out(self, obs: Tensor) -> Tensor:
        return self.network(self._inputs(obs)).squeeze(-1)

    def _inputs(self, obs: Tensor) -> Tensor:
        steps = obs.shape[2]
        t = torch.arange(steps, device=obs.device, dtype=torch.float32) / 100
        obs = obs.float() / 255 if obs.dtype == torch.uint8 else obs
        return torch.cat([obs.flatten(3), t[:, None].expand(*obs.shape[:3], 1)], -1)
