"""What to say when a gradient is not finite: whose it was, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from metarl.agents.maml.experience import Phase
from metarl.agents.maml.objective import replay, surrogate
from metarl.agents.maml.policy import MetaPolicy
from metarl.errors import MetarlError
from metarl.tasks import TaskSet

CURE = "lower inner_lr or outer_lr and --resume from the last checkpoint, which is intact"


def of_task(what: str, tasks: TaskSet, i: int) -> MetarlError:
    """The inner or outer gradient of the i-th task."""
    task = {name: values[i].tolist() for name, values in tasks.params.items()}
    return MetarlError(f"the {what} gradient of task {i} ({task}) is not finite: {CURE}")


def of_outer_step(
    policy: MetaPolicy, weights: Sequence[Tensor], phases: Sequence[Phase], tasks: TaskSet
) -> MetarlError:
    """The first task whose own share of the outer gradient is not finite; asks no other process."""
    for i in range(len(tasks)):
        alone = [phase.tasks(torch.tensor([i], device=phase.obs.device)) for phase in phases]
        now = replay(policy, alone)
        shares = torch.autograd.grad(surrogate(alone[-1], now.ratio) + now.inner_kl.sum(), weights)
        if not all(bool(share.isfinite().all()) for share in shares):
            return of_task("outer", tasks, i)
    return MetarlError(f"the outer gradient is not finite, though the share of no task here is to blame: {CURE}")
