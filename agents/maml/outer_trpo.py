r"""The outer loop by TRPO (Schulman et al. 2015): MAML as published (Finn et al. 2017, section 5.3).

A step along $F^{-1} g$ as long as the bound on the mean KL divergence of the adapted policies allows. $F$ is taken
through the inner step: $F = J^\top F' J$, where $J$ is the Jacobian of the adapted policies' outputs with respect to
the initial weights and $F'$ the curvature of the divergence in the outputs. That is its exact Hessian where the
divergence is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from metarl.agents.action_distributions import ActionDistribution
from metarl.agents.maml import non_finite
from metarl.agents.maml.adaptation_batch import AdaptationBatch
from metarl.agents.maml.objective import Replay, divergence, penalties, replay, surrogate
from metarl.agents.maml.policy import MetaPolicy
from metarl.agents.maml.surrogates import per_task_mean
from metarl.runtime import distributed
from metarl.tasks.task_set import TaskSet

BACKTRACK = 0.8


class OuterTRPO:
    """One step within the trust region for each meta-batch."""

    def __init__(self, policy: MetaPolicy) -> None:
        self.policy = policy
        self.weights = [*policy.network.parameters(), *policy.step_sizes.values]

    def step(self, batches: Sequence[AdaptationBatch], tasks: TaskSet) -> dict[str, float]:
        settings = self.policy.settings
        loss, now = self._loss(batches)
        gradient = _flat(torch.autograd.grad(loss, self.weights, retain_graph=True))
        loss = loss.detach()
        distributed.average_([gradient, loss])
        before, norm = torch.stack([loss, gradient.norm()]).tolist()
        if not isfinite(norm):
            raise non_finite.of_outer_step(self.policy, self.weights, batches, tasks)
        curvature = Curvature(now.dist, batches[-1].weight, self.weights)

        def product(v: Tensor) -> Tensor:
            bent = curvature(v)
            distributed.average_([bent])
            return bent + settings.cg_damping * v

        direction = conjugate_gradient(product, gradient, settings.cg_steps)
        length = (2 * settings.max_kl / direction.dot(product(direction)).clamp(min=1e-12)).sqrt()
        scale, after, kl = self._search(batches, before, -length * direction)
        return {"outer_loss": before, "outer_change": after - before, "kl": kl, "step": scale}

    def _loss(self, batches: Sequence[AdaptationBatch], differentiable: bool = True) -> tuple[Tensor, Replay]:
        now = replay(self.policy, batches, differentiable)
        return surrogate(batches[-1], now.ratio) + penalties(self.policy, batches, now), now

    def _search(self, batches: Sequence[AdaptationBatch], before: float, way: Tensor) -> tuple[float, float, float]:
        """The longest step on the way that improves the objective within the bound: its share, loss and divergence."""
        settings, start = self.policy.settings, [weight.detach().clone() for weight in self.weights]
        scale = 1.0
        for _ in range(settings.line_search_steps):
            self._set(start, scale * way)
            loss, now = self._loss(batches, differentiable=False)
            with torch.no_grad():
                figures = torch.stack([loss, divergence(self.policy, batches[-1], now.dist).mean()])
            distributed.average_([figures])  # so that all processes take the same step
            loss, kl = figures.tolist()  # the one place that waits for the device: most often the first try will do
            if loss < before and kl <= settings.max_kl:
                return scale, loss, kl
            scale *= BACKTRACK
        self._set(start, torch.zeros_like(way))
        return 0.0, before, 0.0

    @torch.no_grad()
    def _set(self, start: list[Tensor], way: Tensor) -> None:
        for weight, was, part in zip(self.weights, start, way.split([w.numel() for w in start]), strict=True):
            weight.copy_(was + part.view_as(was))

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Any) -> None:
        """There is none."""


class Curvature:
    """v -> J^T F' J v, each product by two passes through graphs that are built once."""

    def __init__(self, dist: ActionDistribution, share: Tensor, weights: Sequence[Tensor]) -> None:
        self.weights = weights
        self.outputs = [out for out in dist if out.requires_grad]
        self.fixed = [out.detach().requires_grad_() for out in self.outputs]
        old = type(dist)(*(out.detach() for out in dist))
        given = iter(self.fixed)
        new = type(dist)(*(next(given) if out.requires_grad else out for out in dist))
        divergence = per_task_mean(old.kl(new), share).mean()  # type: ignore[arg-type]
        self.slope = torch.autograd.grad(divergence, self.fixed, create_graph=True)
        # J v is the derivative of J^T u, which is linear in u, along v.
        self.u = [torch.zeros_like(out).requires_grad_() for out in self.outputs]
        self.back = torch.autograd.grad(self.outputs, weights, self.u, create_graph=True, allow_unused=True)

    def __call__(self, v: Tensor) -> Tensor:
        parts = [
            part.view_as(w) for part, w in zip(v.split([w.numel() for w in self.weights]), self.weights, strict=True)
        ]
        used = [(back, part) for back, part in zip(self.back, parts, strict=True) if back is not None]
        pushed = torch.autograd.grad([b for b, _ in used], self.u, [p for _, p in used], retain_graph=True)
        bent = torch.autograd.grad(self.slope, self.fixed, pushed, retain_graph=True)
        pulled = torch.autograd.grad(self.outputs, self.weights, bent, retain_graph=True, allow_unused=True)
        return _flat([torch.zeros_like(w) if g is None else g for g, w in zip(pulled, self.weights, strict=True)])


def conjugate_gradient(product: Callable[[Tensor], Tensor], b: Tensor, steps: int, tolerance: float = 1e-10) -> Tensor:
    """x with A x = b nearly, A positive definite and given by its products (Hestenes & Stiefel 1952)."""
    x, r = torch.zeros_like(b), b.clone()
    p, rr = r.clone(), r.dot(r)
    for _ in range(steps):
        ap = product(p)
        # Once it is solved x stays: by a factor, not a branch, so that nothing waits for the device.
        alpha = (rr >= tolerance) * rr / p.dot(ap).clamp(min=1e-20)
        x, r = x + alpha * p, r - alpha * ap
        new = r.dot(r)
        p, rr = r + (new / rr.clamp(min=1e-20)) * p, new
    return x


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])
