"""Errors for gradients that are not finite: they name the task, and the cure."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from metarl.agents.maml.advantages import AdaptationBatch
from metarl.agents.maml.objective import replay, surrogate
from metarl.agents.maml.policy import MetaPolicy
from metarl.errors import MetarlError
from metarl.tasks.task_set import TaskSet

CURE = "the last checkpoint is intact; start a new training with a lower inner_lr or outer_lr"


def task_error(loop: str, tasks: TaskSet, i: int) -> MetarlError:
    """Return the error for the gradient of the i-th task in the "inner" or "outer" loop."""
    task = {name: values[i].tolist() for name, values in tasks.params.items()}
    return MetarlError(f"the {loop} gradient of task {i} ({task}) is not finite: {CURE}")


def outer_error(
    policy: MetaPolicy, weights: Sequence[Tensor], batches: Sequence[AdaptationBatch], tasks: TaskSet
) -> MetarlError:
    """Return the error for the first task of this process whose part of the outer gradient is not finite."""
    for i in range(len(tasks)):
        single = [batch.tasks(torch.tensor([i], device=batch.obs.device)) for batch in batches]
        result = replay(policy, single)
        gradients = torch.autograd.grad(surrogate(single[-1], result.ratio) + result.inner_kl.sum(), weights)
        if not all(bool(gradient.isfinite().all()) for gradient in gradients):
            return task_error("outer", tasks, i)
    return MetarlError(f"the outer gradient is not finite, but its part from each task of this process is: {CURE}")
