"""The outer loop by PPO: a few Adam steps on the clipped objective (all presets but maml and reptile)."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import torch

from metarl.agents.maml import non_finite
from metarl.agents.maml.advantages import AdaptationBatch
from metarl.agents.maml.objective import clipped_surrogate, divergence, penalties, replay
from metarl.agents.maml.policy import MetaPolicy
from metarl.runtime import distributed
from metarl.tasks.task_set import TaskSet


class OuterPPO:
    """An optimiser whose steps repeat the inner loop from the current weights and differentiate through it."""

    def __init__(self, policy: MetaPolicy) -> None:
        self.policy = policy
        self.weights = [*policy.network.parameters(), *policy.step_sizes.values]
        self.optimizer = torch.optim.Adam(self.weights, policy.settings.outer_lr, eps=1e-5, fused=True)

    def step(self, batches: Sequence[AdaptationBatch], tasks: TaskSet) -> dict[str, float]:
        """Update the initial weights on a meta-batch; return metrics. Raise MetarlError unless gradients are finite."""
        steps = [self._gradient_step(batches, tasks) for _ in range(self.policy.settings.outer_epochs)]
        return {**steps[-1], "outer_loss": steps[0]["outer_loss"]}

    def _gradient_step(self, batches: Sequence[AdaptationBatch], tasks: TaskSet) -> dict[str, float]:
        settings = self.policy.settings
        result = replay(self.policy, batches)
        loss = clipped_surrogate(batches[-1], result.ratio, settings.clip_coef)
        loss = loss + penalties(self.policy, batches, result)
        self.optimizer.zero_grad()
        loss.backward()
        distributed.average_([weight.grad for weight in self.weights if weight.grad is not None])
        norm = torch.nn.utils.clip_grad_norm_(self.weights, settings.max_grad_norm)
        with torch.no_grad():
            kl = divergence(self.policy, batches[-1], result.dist).mean()
        values = {"outer_loss": loss, "grad_norm": norm, "kl": kl, "inner_kl": result.inner_kl.mean()}
        metrics = dict(zip(values, torch.stack(list(values.values())).tolist(), strict=True))  # one wait for the GPU
        if not isfinite(metrics["grad_norm"]):
            raise non_finite.outer_error(self.policy, self.weights, batches, tasks)
        self.optimizer.step()
        return metrics

    def state_dict(self) -> dict[str, Any]:
        return self.optimizer.state_dict()

    def load_state_dict(self, state: Any) -> None:
        self.optimizer.load_state_dict(state)
