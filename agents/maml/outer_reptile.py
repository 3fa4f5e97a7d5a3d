r"""The outer loop by Reptile (Nichol et al. 2018): $\theta \leftarrow \theta + \epsilon (\overline{\theta_i'} -
\theta)$.

No second derivatives, and no query set: the last phase, too, is one to adapt on, so that there are always two inner
steps or more, without which Reptile is joint training.
"""

from __future__ import annotations

from typing import Any

import torch

from metarl import parallel
from metarl.agents.maml import faults
from metarl.agents.maml.policy import MetaPolicy
from metarl.agents.maml.sampling import MetaBatch


class OuterReptile:
    """A step towards the mean of the adapted weights."""

    def __init__(self, policy: MetaPolicy) -> None:
        self.policy = policy

    def step(self, batch: MetaBatch) -> dict[str, float]:
        policy, phases = self.policy, batch.phases
        params = {name: value.detach() for name, value in policy.network.params(len(phases[0].reward)).items()}
        for phase in phases:
            params = {name: value.detach() for name, value in policy.adapt(params, phase).items()}
            faults.check_inner(params, batch.tasks)
        adapted = {name: value.mean(0) for name, value in params.items()}
        parallel.mean_(list(adapted.values()))
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
