"""The perturbations "density", "viscosity" and "wind" of the fluid around a robot (MuJoCo's inertia-box model)."""

from __future__ import annotations

import mujoco
import torch

from metarl.envs.perturbations.perturbation import Fields, Perturbation, Task
from metarl.tasks.parameter import Parameter


class Density(Perturbation):
    """Density of the fluid: water has 1000 kg/m^3, air 1.2; 0 is no fluid. Drag is quadratic in the speed."""

    name = "density"
    fields = ("opt.density",)

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        return (Parameter("density", unit="kg/m^3", low=0.0, neutral=model.opt.density, doc="density of the fluid"),)

    def change(self, model: mujoco.MjModel, fields: Fields, task: Task) -> None:
        fields["opt.density"] = task["density"]


class Viscosity(Perturbation):
    """Viscosity of the fluid: water has 0.0009 Pa s, air 0.00002; 0 is none. Drag is linear in the speed."""

    name = "viscosity"
    fields = ("opt.viscosity",)

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        doc = "viscosity of the fluid"
        return (Parameter("viscosity", unit="Pa s", low=0.0, neutral=model.opt.viscosity, doc=doc),)

    def change(self, model: mujoco.MjModel, fields: Fields, task: Task) -> None:
        fields["opt.viscosity"] = task["viscosity"]


class Wind(Perturbation):
    """A constant horizontal flow of the fluid; it has an effect only if density or viscosity is above 0."""

    name = "wind"
    fields = ("opt.wind",)

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        doc = "velocity of the fluid along x and y; effective if density or viscosity is above 0"
        return (Parameter("wind", (2,), unit="m/s", neutral=model.opt.wind[:2].copy(), doc=doc),)

    def change(self, model: mujoco.MjModel, fields: Fields, task: Task) -> None:
        fields["opt.wind"] = torch.cat([task["wind"], fields["opt.wind"][:, 2:]], 1)


density = Density()
viscosity = Viscosity()
wind = Wind()
