"""The perturbation "payload": additional mass of the torso."""

from __future__ import annotations

import mujoco
import torch

from metarl.envs.perturbations.perturbation import Fields, Perturbation, Task
from metarl.tasks.parameter import Parameter

TORSO = 1  # the first body: body 0 is the world


class Payload(Perturbation):
    """Add mass to the first body in proportion to its own: inertia grows in proportion, the centre of mass stays."""

    name = "payload"
    fields = ("body_mass", "body_inertia")
    derived_constants = True
    order = 1

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        if model.body_mass[TORSO] == 0:
            return ()
        return (Parameter("payload", unit="kg", low=0.0, high=1e4, doc="mass added to the torso, distributed over it"),)

    def change(self, model: mujoco.MjModel, fields: Fields, task: Task) -> None:
        mass = fields["body_mass"]
        loaded = mass[:, TORSO] + task["payload"]
        factor = torch.ones_like(mass)
        factor[:, TORSO] = loaded / mass[:, TORSO]
        fields["body_mass"] = mass * factor
        fields["body_inertia"] = fields["body_inertia"] * factor[:, :, None]


payload = Payload()
