"""The perturbation "dead_motor": a motor without effect."""

from __future__ import annotations

import mujoco
import torch

from metarl.envs.perturbations.perturbation import Fields, Perturbation, Task
from metarl.tasks.parameter import Parameter


class DeadMotor(Perturbation):
    """Set the gear of one motor to 0; -1 selects none."""

    name = "dead_motor"
    fields = ("actuator_gear",)
    derived_constants = True
    order = 2

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        doc = "index of the dead motor, from 0; -1 for none"
        return (Parameter("dead_motor", low=-1, high=model.nu - 1, neutral=-1, integer=True, doc=doc),)

    def change(self, model: mujoco.MjModel, fields: Fields, task: Task) -> None:
        gear = fields["actuator_gear"]
        dead = torch.arange(model.nu, device=gear.device) == task["dead_motor"][:, None]  # [B, nu]
        fields["actuator_gear"] = gear.masked_fill(dead[:, :, None], 0.0)


dead_motor = DeadMotor()
