"""The fluid around a robot: how dense, how viscous, and whether it flows (MuJoCo's inertia-box fluid model)."""

from __future__ import annotations

import mujoco
import torch

from metarl.envs.perturbations.perturbation import Fields, Perturbation, Task
from metarl.tasks.parameter import Parameter


class Density(Perturbation):
    """Water has 1000 kg/m^3, air 1.2; 0 is no fluid. Drag grows with the square of the speed."""

    name = "density"
    fields = ("opt.density",)

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        return (Parameter("density", unit="kg/m^3", low=0.0, neutral=model.opt.density, doc="density of the fluid"),)

    def change(self, model: mujoco.MjModel, fields: Fields, task: Task) -> None:
        fields["opt.density"] = task["density"]


class Viscosity(Perturbation):
    """Water has 0.0009 Pa s, air 0.00002; 0 is none. Drag grows with the speed."""

    name = "viscosity"
    fields = ("opt.viscosity",)

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        doc = "viscosity of the fluid"
        return (Parameter("viscosity", unit="Pa s", low=0.0, neutral=model.opt.viscosity, doc=doc),)

    def change(self, model: mujoco.MjModel, fields: Fields, task: Task) -> None:
        fields["opt.viscosity"] = task["viscosity"]


class Wind(Perturbation):
    """A steady horizontal flow; it is felt only where density or viscosity is above 0."""

    name = "wind"
    fields = ("opt.wind",)

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        doc = "velocity of the fluid along x and y; felt where density or viscosity is above 0"
        return (Parameter("wind", (2,), unit="m/s", neutral=model.opt.wind[:2].copy(), doc=doc),)

    def change(self, model: mujoco.MjModel, fields: Fields, task: Task) -> None:
        fields["opt.wind"] = torch.cat([task["wind"], fields["opt.wind"][:, 2:]], 1)


density = Density()
viscosity = Viscosity()
wind = Wind()
