"""Perturbations that scale model fields: a whole field, or each of its elements."""

from __future__ import annotations

from collections.abc import Callable

import mujoco
from torch import Tensor

from metarl.envs.perturbations.elements import names_of
from metarl.envs.perturbations.perturbation import Fields, Perturbation, Task, expand_dims_like
from metarl.tasks.parameter import Parameter

Shape = Callable[[mujoco.MjModel], tuple[int, ...]]
LOW, HIGH = 1e-3, 1e3  # bounds of factors


class Scaling(Perturbation):
    """Factors on model fields: one for all elements, or one for each row.

    shape: the parameter's shape, a function of the model. With fewer factors than rows, the first rows do not change:
    row 0 of a field of bodies is the world, which has no mass. labelled: the kind of the rows, "body", "dof", "geom" or
    "actuator"; their names become labels.
    """

    def __init__(
        self,
        name: str,
        fields: tuple[str, ...],
        doc: str,
        shape: Shape = lambda model: (),
        derived_constants: bool = False,
        low: float = LOW,
        labelled: str = "",
    ) -> None:
        self.name = name
        self.fields = fields
        self.derived_constants = derived_constants
        self._doc, self._shape, self._low, self._labelled = doc, shape, low, labelled

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        shape = self._shape(model)
        if 0 in shape:
            return ()
        return (Parameter(self.name, shape, low=self._low, high=HIGH, neutral=1.0, doc=self._doc),)

    def labels(self, model: mujoco.MjModel) -> dict[str, tuple[str, ...]]:
        return {self.name: names_of(model, self._labelled)} if self._labelled else {}

    def change(self, model: mujoco.MjModel, fields: Fields, task: Task) -> None:
        for name in self.fields:
            fields[name] = scaled(fields[name], task[self.name])


def scaled(field: Tensor, factor: Tensor) -> Tensor:
    """Multiply a field [B, ...] by factors [B], or its last rows by factors [B, rows, ...]."""
    field = field.clone()
    rows = field if factor.dim() == 1 else field[:, field.shape[1] - factor.shape[1] :]
    rows *= expand_dims_like(factor, rows)
    return field


def _bodies(model: mujoco.MjModel) -> tuple[int, ...]:
    return (model.nbody - 1,)


# One factor for all elements.
mass = Scaling(
    "mass", ("body_mass", "body_inertia"), "factor on the mass and inertia of all bodies", derived_constants=True
)
gravity = Scaling("gravity", ("opt.gravity",), "factor on gravity")
damping = Scaling("damping", ("dof_damping",), "factor on the damping of all joints")
strength = Scaling("strength", ("actuator_gear",), "factor on the strength of all motors", derived_constants=True)

# One factor for each element.
body_mass_scale = Scaling(
    "body_mass_scale", ("body_mass", "body_inertia"), "factor on each body's mass and inertia",
    _bodies, derived_constants=True, labelled="body",
)  # fmt: skip
dof_damping_scale = Scaling(
    "dof_damping_scale", ("dof_damping",), "factor on each degree of freedom's damping", lambda m: (m.nv,),
    labelled="dof",
)  # fmt: skip
motor_strength = Scaling(
    "motor_strength", ("actuator_gear",), "factor on each motor's strength; 0 for a dead motor",
    lambda m: (m.nu,), derived_constants=True, low=0.0, labelled="actuator",
)  # fmt: skip

# The scaling of published code (rand_param_envs): mass without inertia, and each component of inertia independently, so
# that the inertia may be physically impossible.
classic_mass_scale = Scaling(
    "classic_mass_scale",
    ("body_mass",),
    "factor on each body's mass without its inertia",
    _bodies,
    derived_constants=True,
)
classic_inertia_scale = Scaling(
    "classic_inertia_scale", ("body_inertia",), "factors on the components of each body's inertia",
    lambda m: (m.nbody - 1, 3), derived_constants=True,
)  # fmt: skip
