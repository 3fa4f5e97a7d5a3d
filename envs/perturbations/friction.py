"""The perturbations of friction, of geoms and of the explicit floor contacts derived from them."""

from __future__ import annotations

import mujoco
import torch

from metarl.envs.perturbations.perturbation import Fields, Task
from metarl.envs.perturbations.scaling import Scaling, scaled
from metarl.envs.robots.floor_contacts import PAIR_PREFIX

PAIR_COLUMNS = [0, 0, 1, 2, 2]  # of a geom's friction: sliding twice, torsional, rolling twice


class Friction(Scaling):
    """Factors on sliding, torsional and rolling friction of geoms.

    A contact of two geoms has the larger of their frictions, and so have the explicit floor contacts of
    envs/robots/floor_contacts.py. Explicit pairs of an MJCF keep their friction.
    """

    fields = ("geom_friction", "pair_friction")

    def change(self, model: mujoco.MjModel, fields: Fields, task: Task) -> None:
        fields["geom_friction"] = scaled(fields["geom_friction"], task[self.name])
        pairs = fields["pair_friction"]
        derived = [model.pair(i).name.startswith(PAIR_PREFIX) for i in range(model.npair)]
        if any(derived):
            mask = torch.tensor(derived, device=pairs.device).unsqueeze(1)
            fields["pair_friction"] = torch.where(mask, _mixed(model, fields["geom_friction"]), pairs)


def _mixed(model: mujoco.MjModel, friction: torch.Tensor) -> torch.Tensor:
    """Return the friction of pairs [..., pairs, 5] that MuJoCo mixes from that of geoms [..., geoms, 3]."""
    first, second = (friction[..., geoms.tolist(), :] for geoms in (model.pair_geom1, model.pair_geom2))
    return torch.maximum(first, second)[..., PAIR_COLUMNS]


friction = Friction("friction", Friction.fields, "factor on sliding, torsional and rolling friction of every geom")
geom_friction_scale = Friction(
    "geom_friction_scale", Friction.fields, "factor on each geom's sliding, torsional and rolling friction",
    lambda m: (m.ngeom,), labelled="geom",
)  # fmt: skip
# The scaling of published code (rand_param_envs).
classic_friction_scale = Friction(
    "classic_friction_scale", Friction.fields, "factors on each geom's sliding, torsional and rolling friction",
    lambda m: (m.ngeom, 3),
)  # fmt: skip
