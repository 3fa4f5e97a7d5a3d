"""The model fields of one simulation, as the perturbations of its tasks make them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from metarl.envs.perturbations.perturbation import Fields, Perturbation, Task, wide
from metarl.envs.physics import Physics


class ModelChanges:
    """Every value is made from the compiled one: scaling what stands there would compound from task to task."""

    def __init__(self, physics: Physics, perturbations: Sequence[Perturbation]) -> None:
        self.physics = physics
        self.perturbations = sorted(perturbations, key=lambda p: p.order)
        names = sorted({name for p in perturbations for name in p.fields})
        self._defaults: Fields = {
            name: (value := physics.default(name).double()).expand(physics.num_envs, *value.shape) for name in names
        }
        for name in names:
            physics.field(name)  # in its place from now on: a step may be captured
        self._derives = any(p.derived_constants for p in perturbations)

    def values(self, task: Task) -> Fields:
        """The fields under these tasks, [B, ...] each."""
        fields = dict(self._defaults)
        for perturbation in self.perturbations:
            perturbation.change(self.physics.model, fields, task)
        return fields

    def write(self, values: Fields, mask: Tensor) -> None:
        """Give the masked simulations these values."""
        for name, value in values.items():
            field = self.physics.field(name)
            field.copy_(torch.where(wide(mask, value), value, field))
        if self._derives:
            self.physics.refresh(mask)
