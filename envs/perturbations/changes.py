"""The model fields of a batch of simulations under the perturbations of their tasks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from metarl.envs.perturbations.perturbation import Fields, Perturbation, Task, expand_dims_like
from metarl.envs.physics import Physics


class ModelChanges:
    """Model fields as functions of the tasks, computed from the compiled values.

    Scaling the current values instead would compound from task to task.
    """

    def __init__(self, physics: Physics, perturbations: Sequence[Perturbation]) -> None:
        self.physics = physics
        self.perturbations = sorted(perturbations, key=lambda p: p.order)
        names = sorted({name for p in perturbations for name in p.fields})
        self._defaults: Fields = {
            name: (value := physics.default(name).double()).expand(physics.num_envs, *value.shape) for name in names
        }
        for name in names:
            physics.field(name)  # allocates the field, which must precede the capture of a step
        self._needs_refresh = any(p.derived_constants for p in perturbations)

    def values(self, task: Task) -> Fields:
        """Return the fields under these tasks, [B, ...] each."""
        fields = dict(self._defaults)
        for perturbation in self.perturbations:
            perturbation.change(self.physics.model, fields, task)
        return fields

    def write(self, values: Fields, mask: Tensor) -> None:
        """Write values to the masked simulations."""
        for name, value in values.items():
            field = self.physics.field(name)
            field.copy_(torch.where(expand_dims_like(mask, value), value, field))
        if self._needs_refresh:
            self.physics.refresh(mask)
