r"""The outer loop by Reptile (Nichol et al. 2018): $\theta \leftarrow \theta + \epsilon (\overline{\theta_i'} -
\theta)$.

There are no second derivatives and no query set: the last batch is used for an inner step as well. There are therefore
at least two inner steps; with one, Reptile is joint training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from metarl.agents.maml import non_finite
from metarl.agents.maml.advantages import AdaptationBatch
from metarl.agents.maml.inner_update import first_broken
from metarl.agents.maml.policy import MetaPolicy
from metarl.runtime import distributed
from metarl.tasks.task_set import TaskSet


class OuterReptile:
    """An optimiser that moves the initial weights towards the mean of the adapted weights."""

    def __init__(self, policy: MetaPolicy) -> None:
        self.policy = policy

    def step(self, batches: Sequence[AdaptationBatch], tasks: TaskSet) -> dict[str, float]:
        """Update the initial weights on a meta-batch; return metrics. Raise MetarlError unless gradients are finite."""
        policy = self.policy
        params = policy.initial_params(len(tasks))
        for batch in batches:
            params = {name: value.detach() for name, value in policy.adapt(params, batch).items()}
            if (i := first_broken(params)) is not None:
                raise non_finite.task_error("inner", tasks, i)
        adapted = {name: value.mean(0) for name, value in params.items()}
        distributed.average_(list(adapted.values()))
        squared_norm = 0.0
        with torch.no_grad():
            for name, weight in policy.network.meta.items():
                change = policy.settings.outer_lr * (adapted[name] - weight)
                weight += change
                squared_norm += float(change.square().sum())
        return {"outer_step": squared_norm**0.5}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Any) -> None:
        """Do nothing: there is no state."""
