"""Perturbations that scale what the model was compiled with."""

from __future__ import annotations

from collections.abc import Mapping

import mujoco
from torch import Tensor

from metarl.envs.perturbations.perturbation import Perturbation
from metarl.envs.physics import Physics
from metarl.parameters import Parameter


class Scaling(Perturbation):
    """One factor for whole model fields: every element of `fields` times the parameter."""

    def __init__(self, name: str, fields: tuple[str, ...], doc: str, derived_constants: bool = False) -> None:
        self.name = name
        self.fields = fields
        self.derived_constants = derived_constants
        self._parameter = Parameter(name, low=1e-3, high=1e3, neutral=1.0, doc=doc)

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        return (self._parameter,)

    def apply(self, physics: Physics, task: Mapping[str, Tensor], mask: Tensor) -> None:
        factor = task[self.name][mask]
        for name in self.fields:
            default = physics.default(name)
            physics.field(name)[mask] = default * factor.reshape(-1, *[1] * default.dim())


friction = Scaling("friction", ("geom_friction",), "factor on sliding, torsional and rolling friction of every geom")
mass = Scaling(
    "mass", ("body_mass", "body_inertia"), "factor on every body's mass and inertia together", derived_constants=True
)
gravity = Scaling("gravity", ("opt.gravity",), "factor on gravity")
damping = Scaling("damping", ("dof_damping",), "factor on every joint's damping")
strength = Scaling("strength", ("actuator_gear",), "factor on every motor's strength", derived_constants=True)
