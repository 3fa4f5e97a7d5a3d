"""Friction of geoms, and of the pairs of geoms that take theirs from them."""

from __future__ import annotations

import mujoco
import torch

from metarl.envs.perturbations.perturbation import Fields, Task
from metarl.envs.perturbations.scaling import Scaling, scaled
from metarl.envs.robots.floor_contacts import TOLD

IN_A_PAIR = [0, 0, 1, 2, 2]  # sliding both ways, torsional, rolling both ways


class Friction(Scaling):
    """Factors on sliding, torsional and rolling friction of geoms.

    A contact of two geoms has the greater of their frictions. So have the pairs by which our robots touch the floor
    (envs/robots/floor_contacts.py); explicit pairs of an MJCF have a friction of their own, which stays.
    """

    fields = ("geom_friction", "pair_friction")

    def change(self, model: mujoco.MjModel, fields: Fields, task: Task) -> None:
        fields["geom_friction"] = scaled(fields["geom_friction"], task[self.name])
        pairs = fields["pair_friction"]
        told = [model.pair(i).name.startswith(TOLD) for i in range(model.npair)]
        if any(told):
            mask = torch.tensor(told, device=pairs.device).unsqueeze(1)
            fields["pair_friction"] = torch.where(mask, _mixed(model, fields["geom_friction"]), pairs)


def _mixed(model: mujoco.MjModel, friction: torch.Tensor) -> torch.Tensor:
    """[..., pairs, 5] of geoms' friction [..., geoms, 3], as MuJoCo mixes it."""
    first, second = (friction[..., geoms.tolist(), :] for geoms in (model.pair_geom1, model.pair_geom2))
    return torch.maximum(first, second)[..., IN_A_PAIR]


friction = Friction("friction", Friction.fields, "factor on sliding, torsional and rolling friction of every geom")
geom_friction_scale = Friction(
    "geom_friction_scale", Friction.fields, "factor on each geom's sliding, torsional and rolling friction",
    lambda m: (m.ngeom,), labelled="geom",
)  # fmt: skip
# As published code scales (rand_param_envs).
classic_friction_scale = Friction(
    "classic_friction_scale", Friction.fields, "factor on each geom's sliding, torsional and rolling friction alone",
    lambda m: (m.ngeom, 3),
)  # fmt: skip
