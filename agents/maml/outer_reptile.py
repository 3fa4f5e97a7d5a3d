r"""The outer loop by Reptile (Nichol et al. 2018): $\theta \leftarrow \theta + \epsilon (\overline{\theta_i'} -
\theta)$.

No second derivatives, and no query set: the last batch, too, is one to adapt on, so that there are always two inner
steps or more, without which Reptile is joint training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from metarl.agents.maml import non_finite
from metarl.agents.maml.adaptation_batch import AdaptationBatch
from metarl.agents.maml.policy import MetaPolicy
from metarl.runtime import distributed
from metarl.tasks.task_set import TaskSet


class OuterReptile:
    """A step towards the mean of the adapted weights."""

    def __init__(self, policy: MetaPolicy) -> None:
        self.policy = policy

    def step(self, batches: Sequence[AdaptationBatch], tasks: TaskSet) -> dict[str, float]:
        policy = self.policy
        params = policy.initial_params(len(tasks))
        for batch in batches:
            params = {name: value.detach() for name, value in policy.adapt(params, batch).items()}
            non_finite.check_inner(params, tasks)
        adapted = {name: value.mean(0) for name, value in params.items()}
        distributed.average_(list(adapted.values()))
        moved = 0.0
        with torch.no_grad():
            for name, weight in policy.network.meta.items():
                way = policy.settings.outer_lr * (adapted[name] - weight)
                weight += way
                moved += float(way.square().sum())
        return {"outer_step": moved**0.5}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Any) -> None:
        """There is none."""
