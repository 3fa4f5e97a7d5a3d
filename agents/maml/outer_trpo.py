r"""The outer loop by TRPO (Schulman et al. 2015): MAML as published (Finn et al. 2017, section 5.3).

A step goes along $F^{-1} g$, as far as the bound on the mean KL divergence of the adapted policies allows. The
curvature $F = J^\top F' J$ includes the inner step: $J$ is the Jacobian of the adapted policies' outputs with respect
to the initial weights, and $F'$ is the Hessian of the divergence in the outputs. Where the divergence is zero, $F$ is
its exact Hessian.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from metarl.agents.action_distributions import ActionDistribution
from metarl.agents.maml import non_finite
from metarl.agents.maml.advantages import AdaptationBatch, per_task_mean
from metarl.agents.maml.objective import ReplayResult, divergence, penalties, replay, surrogate
from metarl.agents.maml.policy import MetaPolicy
from metarl.runtime import distributed
from metarl.tasks.task_set import TaskSet

BACKTRACK = 0.8  # factor of the step in each iteration of the line search


class OuterTRPO:
    """An optimiser that takes one step within the trust region for each meta-batch."""

    def __init__(self, policy: MetaPolicy) -> None:
        self.policy = policy
        self.weights = [*policy.network.parameters(), *policy.step_sizes.values]

    def step(self, batches: Sequence[AdaptationBatch], tasks: TaskSet) -> dict[str, float]:
        """Update the initial weights on a meta-batch; return metrics. Raise MetarlError unless gradients are finite."""
        settings = self.policy.settings
        loss, result = self._loss(batches)
        gradient = _flat(torch.autograd.grad(loss, self.weights, retain_graph=True))
        loss = loss.detach()
        distributed.average_([gradient, loss])
        before, norm = torch.stack([loss, gradient.norm()]).tolist()
        if not isfinite(norm):
            raise non_finite.outer_error(self.policy, self.weights, batches, tasks)
        curvature = Curvature(result.dist, batches[-1].weight, self.weights)

        def product(v: Tensor) -> Tensor:
            curved = curvature(v)
            distributed.average_([curved])
            return curved + settings.cg_damping * v

        direction = conjugate_gradient(product, gradient, settings.cg_steps)
        length = (2 * settings.max_kl / direction.dot(product(direction)).clamp(min=1e-12)).sqrt()
        scale, after, kl = self._search(batches, before, -length * direction)
        return {"outer_loss": before, "outer_change": after - before, "kl": kl, "step": scale}

    def _loss(self, batches: Sequence[AdaptationBatch], differentiable: bool = True) -> tuple[Tensor, ReplayResult]:
        result = replay(self.policy, batches, differentiable)
        return surrogate(batches[-1], result.ratio) + penalties(self.policy, batches, result), result

    def _search(self, batches: Sequence[AdaptationBatch], before: float, change: Tensor) -> tuple[float, float, float]:
        """Take the first of ever shorter steps along `change` that improves the loss within the bound.

        before: the loss without a step. Returns the scale of the step, its loss and its divergence; if no step is
        accepted, the weights stay and the scale is 0.
        """
        settings, start = self.policy.settings, [weight.detach().clone() for weight in self.weights]
        scale = 1.0
        for _ in range(settings.line_search_steps):
            self._set(start, scale * change)
            loss, result = self._loss(batches, differentiable=False)
            with torch.no_grad():
                loss_and_kl = torch.stack([loss, divergence(self.policy, batches[-1], result.dist).mean()])
            distributed.average_([loss_and_kl])  # so that all processes take the same step
            loss, kl = loss_and_kl.tolist()  # the only wait for the GPU; the first scale is accepted most often
            if loss < before and kl <= settings.max_kl:
                return scale, loss, kl
            scale *= BACKTRACK
        self._set(start, torch.zeros_like(change))
        return 0.0, before, 0.0

    @torch.no_grad()
    def _set(self, start: list[Tensor], change: Tensor) -> None:
        """Set the weights to `start` plus a flat change."""
        for weight, old, part in zip(self.weights, start, change.split([w.numel() for w in start]), strict=True):
            weight.copy_(old + part.view_as(old))

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Any) -> None:
        """Do nothing: there is no state."""


class Curvature:
    """The linear map v -> J^T F' J v, by passes through graphs that are built once.

    dist: the adapted policies, differentiable by `weights`. step_weight: step weights [M, N, T].
    """

    def __init__(self, dist: ActionDistribution, step_weight: Tensor, weights: Sequence[Tensor]) -> None:
        self.weights = weights
        self.outputs = [out for out in dist if out.requires_grad]
        self.fixed = [out.detach().requires_grad_() for out in self.outputs]
        old = type(dist)(*(out.detach() for out in dist))
        given = iter(self.fixed)
        new = type(dist)(*(next(given) if out.requires_grad else out for out in dist))
        divergence = per_task_mean(old.kl(new), step_weight).mean()  # type: ignore[arg-type]
        self.divergence_gradient = torch.autograd.grad(divergence, self.fixed, create_graph=True)
        # J v is the derivative of v^T J^T u by u; J^T u is linear in u.
        self.u = [torch.zeros_like(out).requires_grad_() for out in self.outputs]
        self.jt_u = torch.autograd.grad(self.outputs, weights, self.u, create_graph=True, allow_unused=True)

    def __call__(self, v: Tensor) -> Tensor:
        parts = [
            part.view_as(w) for part, w in zip(v.split([w.numel() for w in self.weights]), self.weights, strict=True)
        ]
        used = [(row, part) for row, part in zip(self.jt_u, parts, strict=True) if row is not None]
        j_v = torch.autograd.grad([row for row, _ in used], self.u, [part for _, part in used], retain_graph=True)
        f_j_v = torch.autograd.grad(self.divergence_gradient, self.fixed, j_v, retain_graph=True)
        product = torch.autograd.grad(self.outputs, self.weights, f_j_v, retain_graph=True, allow_unused=True)
        return _flat([torch.zeros_like(w) if g is None else g for g, w in zip(product, self.weights, strict=True)])


def conjugate_gradient(product: Callable[[Tensor], Tensor], b: Tensor, steps: int, tolerance: float = 1e-10) -> Tensor:
    """Return an approximate solution x of A x = b (Hestenes & Stiefel 1952). product: x -> A x, A positive definite."""
    x, r = torch.zeros_like(b), b.clone()
    p, rr = r.clone(), r.dot(r)
    for _ in range(steps):
        ap = product(p)
        # x stays once it is a solution: by a factor, because a branch would wait for the GPU.
        alpha = (rr >= tolerance) * rr / p.dot(ap).clamp(min=1e-20)
        x, r = x + alpha * p, r - alpha * ap
        new = r.dot(r)
        p, rr = r + (new / rr.clamp(min=1e-20)) * p, new
    return x


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])
