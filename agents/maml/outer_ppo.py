"""The outer loop by PPO: a few Adam steps on the clipped objective (every preset but MAML and Reptile)."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import torch

from metarl.agents.maml import non_finite
from metarl.agents.maml.adaptation_batch import AdaptationBatch
from metarl.agents.maml.objective import clipped_surrogate, divergence, penalties, replay
from metarl.agents.maml.policy import MetaPolicy
from metarl.runtime import distributed
from metarl.tasks.task_set import TaskSet


class OuterPPO:
    """Each step adapts all tasks again from the present initial weights and differentiates through it."""

    def __init__(self, policy: MetaPolicy) -> None:
        self.policy = policy
        self.weights = [*policy.network.parameters(), *policy.step_sizes.values]
        self.optimizer = torch.optim.Adam(self.weights, policy.settings.outer_lr, eps=1e-5, fused=True)

    def step(self, batches: Sequence[AdaptationBatch], tasks: TaskSet) -> dict[str, float]:
        steps = [self._gradient_step(batches, tasks) for _ in range(self.policy.settings.outer_epochs)]
        return {**steps[-1], "outer_loss": steps[0]["outer_loss"]}

    def _gradient_step(self, batches: Sequence[AdaptationBatch], tasks: TaskSet) -> dict[str, float]:
        settings = self.policy.settings
        now = replay(self.policy, batches)
        loss = clipped_surrogate(batches[-1], now.ratio, settings.clip_coef) + penalties(self.policy, batches, now)
        self.optimizer.zero_grad()
        loss.backward()
        distributed.average_([weight.grad for weight in self.weights if weight.grad is not None])
        norm = torch.nn.utils.clip_grad_norm_(self.weights, settings.max_grad_norm)
        with torch.no_grad():
            kl = divergence(self.policy, batches[-1], now.dist).mean()
        figures = {"outer_loss": loss, "grad_norm": norm, "kl": kl, "inner_kl": now.inner_kl.mean()}
        metrics = dict(zip(figures, torch.stack(list(figures.values())).tolist(), strict=True))  # waits once
        if not isfinite(metrics["grad_norm"]):
            raise non_finite.of_outer_step(self.policy, self.weights, batches, tasks)
        self.optimizer.step()
        return metrics

    def state_dict(self) -> dict[str, Any]:
        return self.optimizer.state_dict()

    def load_state_dict(self, state: Any) -> None:
        self.optimizer.load_state_dict(state)
