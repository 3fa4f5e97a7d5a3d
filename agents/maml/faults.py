"""What to say when a gradient is not finite: whose it was, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from metarl.agents.maml.experience import Phase
from metarl.errors import MetarlError
from metarl.tasks import TaskSet

CURE = "lower inner_lr or outer_lr and --resume from the last checkpoint, which is intact"


def of_task(what: str, tasks: TaskSet, i: int) -> MetarlError:
    """The inner or outer gradient of the i-th task."""
    task = {name: values[i].tolist() for name, values in tasks.params.items()}
    return MetarlError(f"the {what} gradient of task {i} ({task}) is not finite: {CURE}")


def of_outer_step(
    loss: Callable[[Sequence[Phase]], Tensor], weights: Sequence[Tensor], phases: Sequence[Phase], tasks: TaskSet
) -> MetarlError:
    """The first task whose own share of the outer gradient is not finite. loss: of the tasks in some phases; []."""
    for i in range(len(tasks)):
        alone = [phase.tasks(torch.tensor([i], device=phase.obs.device)) for phase in phases]
        shares = torch.autograd.grad(loss(alone), weights)
        if not all(bool(share.isfinite().all()) for share in shares):
            return of_task("outer", tasks, i)
    return MetarlError(f"the outer gradient is not finite, though each task's own share of it is: {CURE}")
