"""Gradients that are not finite: whose they were, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from metarl.agents.maml.adaptation_batch import AdaptationBatch
from metarl.agents.maml.network import Params
from metarl.agents.maml.objective import replay, surrogate
from metarl.agents.maml.policy import MetaPolicy
from metarl.errors import MetarlError
from metarl.tasks.task_set import TaskSet

CURE = "the last checkpoint is intact; to go further, train anew with a lower inner_lr or outer_lr"


def check_inner(params: Params, tasks: TaskSet) -> None:
    """MetarlError where a task's adapted weights [M, ...] are not finite; it names the first."""
    i = first_broken(params)
    if i is not None:
        raise of_task("inner", tasks, i)


def first_broken(params: Params) -> int | None:
    """The first of M whose weights [M, ...] are not finite."""
    finite = torch.stack([value.flatten(1).isfinite().all(1) for value in params.values()]).all(0)
    return None if bool(finite.all()) else int((~finite).nonzero()[0])


def of_task(what: str, tasks: TaskSet, i: int) -> MetarlError:
    """The inner or outer gradient of the i-th task."""
    task = {name: values[i].tolist() for name, values in tasks.params.items()}
    return MetarlError(f"the {what} gradient of task {i} ({task}) is not finite: {CURE}")


def of_outer_step(
    policy: MetaPolicy, weights: Sequence[Tensor], batches: Sequence[AdaptationBatch], tasks: TaskSet
) -> MetarlError:
    """The first task whose own share of the outer gradient is not finite; asks no other process."""
    for i in range(len(tasks)):
        alone = [batch.tasks(torch.tensor([i], device=batch.obs.device)) for batch in batches]
        now = replay(policy, alone)
        shares = torch.autograd.grad(surrogate(alone[-1], now.ratio) + now.inner_kl.sum(), weights)
        if not all(bool(share.isfinite().all()) for share in shares):
            return of_task("outer", tasks, i)
    return MetarlError(f"the outer gradient is not finite, though the share of no task here is to blame: {CURE}")
