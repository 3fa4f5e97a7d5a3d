"""The perturbation "limb_lengths": longer or shorter limbs."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import mujoco
import numpy as np
import torch
from torch import Tensor

from metarl.envs.perturbations.elements import names_of
from metarl.envs.perturbations.perturbation import Fields, Perturbation, Task
from metarl.tasks.parameter import Parameter

CAPSULE = int(mujoco.mjtGeom.mjGEOM_CAPSULE)
ALIGNED = 0.999  # cosine between a capsule's axis and a principal axis of its body


class Limbs(NamedTuple):
    """The L bodies that consist of one capsule each, without the world and the first body."""

    body: list[int]
    geom: list[int]
    axis: Tensor  # bool [L, 3], the principal axis of the body along the capsule
    anchor: Tensor  # float64 [nbody, 3], the attachment point to the parent, in the body's frame; it is the fixed point
    hook: Tensor  # float64 [nbody, 3], the same point in the parent's frame


class LimbLengths(Perturbation):
    """Stretch each limb by a factor about its joint, with its joints, sites and child bodies; the radius stays.

    Mass and inertia become those of the stretched capsule at the same density. Start heights do not change.
    """

    name = "limb_lengths"
    fields = (
        "body_pos", "body_ipos", "body_mass", "body_inertia", "geom_pos", "geom_size", "geom_rbound", "geom_aabb",
        "jnt_pos", "site_pos",
    )  # fmt: skip
    derived_constants = True

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        limbs = find_limbs(model)
        if not limbs.body:
            return ()
        doc = f"factor on the length of each limb: {', '.join(self.labels(model)[self.name])}"
        return (Parameter(self.name, (len(limbs.body),), low=0.1, high=10.0, neutral=1.0, doc=doc),)

    def labels(self, model: mujoco.MjModel) -> dict[str, tuple[str, ...]]:
        names = names_of(model, "body")
        return {self.name: tuple(names[body - 1] for body in find_limbs(model).body)}

    def change(self, model: mujoco.MjModel, fields: Fields, task: Task) -> None:
        limbs, factor = find_limbs(model), task[self.name]
        stretch = torch.ones_like(fields["body_mass"])
        stretch[:, limbs.body] = factor
        longer, anchor = (stretch - 1)[:, :, None], limbs.anchor.to(stretch.device)

        def shift(points: Tensor, owner: list[int]) -> Tensor:
            return longer[:, owner] * (points - anchor[owner])

        hook = limbs.hook.to(stretch.device).expand_as(fields["body_pos"])
        fields["body_pos"] = fields["body_pos"] + shift(hook, model.body_parentid.tolist())
        fields["body_ipos"] = fields["body_ipos"] + shift(fields["body_ipos"], list(range(model.nbody)))
        for kind in ("geom", "jnt", "site"):
            points = fields[f"{kind}_pos"]
            fields[f"{kind}_pos"] = points + shift(points, getattr(model, f"{kind}_bodyid").tolist())
        _stretch_capsules(fields, limbs, factor)


def _stretch_capsules(fields: Fields, limbs: Limbs, factor: Tensor) -> None:
    """Set size, bounding volumes, mass and inertia of the limbs."""
    size, rbound, aabb = (fields[name].clone() for name in ("geom_size", "geom_rbound", "geom_aabb"))
    radius, half = size[:, limbs.geom, 0], size[:, limbs.geom, 1]
    longer = half * factor
    size[:, limbs.geom, 1] = longer
    rbound[:, limbs.geom] = radius + longer
    aabb[:, limbs.geom, 5] = radius + longer
    fields |= {"geom_size": size, "geom_rbound": rbound, "geom_aabb": aabb}
    before, after = _capsule(radius, half), _capsule(radius, longer)
    mass, inertia = fields["body_mass"].clone(), fields["body_inertia"].clone()
    mass[:, limbs.body] *= after[0] / before[0]
    along, across = (after[i] / before[i] for i in (1, 2))
    inertia[:, limbs.body] *= torch.where(limbs.axis.to(mass.device), along[:, :, None], across[:, :, None])
    fields |= {"body_mass": mass, "body_inertia": inertia}


def _capsule(radius: Tensor, half: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mass, and inertia along and across the axis, of a capsule, each divided by pi times the density.

    The capsule is a cylinder of length 2 `half` with two hemispheres.
    """
    height = 2 * half
    cylinder, ball = radius**2 * height, radius**3 * 4 / 3
    along = cylinder * radius**2 / 2 + ball * radius**2 * 2 / 5
    across = cylinder * (3 * radius**2 + height**2) / 12
    across = across + ball * (radius**2 * 2 / 5 + height**2 / 4 + height * radius * 3 / 8)
    return cylinder + ball, along, across


@lru_cache(maxsize=16)
def find_limbs(model: mujoco.MjModel) -> Limbs:
    """Return the limbs of a compiled model."""
    limbs: list[tuple[int, int, np.ndarray]] = []
    for body in range(2, model.nbody):
        if model.body_geomnum[body] != 1 or model.body_mass[body] == 0:
            continue
        geom = int(model.body_geomadr[body])
        direction = _matrix(model.body_iquat[body]).T @ _matrix(model.geom_quat[geom])[:, 2]
        axis = np.abs(direction) > ALIGNED
        centred = np.allclose(model.body_ipos[body], model.geom_pos[geom], atol=1e-6)
        if model.geom_type[geom] == CAPSULE and axis.any() and centred:
            limbs.append((body, geom, axis))
    anchor = np.zeros((model.nbody, 3))
    for body in range(model.nbody):
        if model.body_jntnum[body]:
            anchor[body] = model.jnt_pos[model.body_jntadr[body]]
    offset = np.stack([_matrix(q) @ a for q, a in zip(model.body_quat, anchor, strict=True)])
    return Limbs(
        [body for body, _, _ in limbs],
        [geom for _, geom, _ in limbs],
        torch.tensor(np.array([axis for *_, axis in limbs]).reshape(-1, 3)),
        torch.tensor(anchor),
        torch.tensor(model.body_pos + offset),
    )


def _matrix(quat: np.ndarray) -> np.ndarray:
    matrix = np.empty(9)
    mujoco.mju_quat2Mat(matrix, quat)
    return matrix.reshape(3, 3)


limb_lengths = LimbLengths()
