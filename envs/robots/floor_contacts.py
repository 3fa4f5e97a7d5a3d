"""Robots that touch the floor alone: MuJoCo is told so, and need not search at each substep which links may collide.

The search, and the division into islands where there is but one, take a fifth of the time of a small robot's step.
Contacts stay the same to the last bit: the same pairs in the same order, each with what MuJoCo mixes of its two geoms.
"""

from __future__ import annotations

import mujoco
import numpy as np

UNSET = float("nan")  # of an explicit pair: MuJoCo mixes it
TOLD = "told: "  # begins the names of the pairs made here

# Fields of geoms that a contact's parameters are mixed of: changed after compiling, they do not reach a pair.
OF_CONTACTS = {
    "geom_contype", "geom_conaffinity", "geom_condim", "geom_priority", "geom_friction", "geom_solmix", "geom_solref",
    "geom_solimp", "geom_margin", "geom_gap", "geom_adhesion",
}  # fmt: skip


def compiled(spec: mujoco.MjSpec) -> mujoco.MjModel:
    """The model, its contacts with the floor as explicit pairs where no others are possible."""
    model = spec.compile()
    found = _floor_and_links(model)
    if found is not None:
        floor, links = found
        for link in links:
            a, b = model.geom(floor), model.geom(link)
            condim = int(max(a.condim[0], b.condim[0]))
            pair = spec.add_pair(name=TOLD + b.name, geomname1=a.name, geomname2=b.name, condim=condim)
            pair.friction, pair.solref, pair.solimp = [UNSET] * 5, [UNSET] * 2, [UNSET] * 5
            pair.solreffriction = [0.0, 0.0]
            pair.margin, pair.gap = float(a.margin[0] + b.margin[0]), float(a.gap[0] + b.gap[0])
        for geom in spec.geoms:
            geom.contype = geom.conaffinity = 0
        told = spec.compile()
        model = told if told.ngeom == model.ngeom else model  # `discardvisual` takes geoms that touch nothing away
    if model.ntree == 1 and not model.opt.enableflags & int(mujoco.mjtEnableBit.mjENBL_SLEEP):  # sleep needs islands
        model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_ISLAND)
    return model


def _floor_and_links(model: mujoco.MjModel) -> tuple[int, list[int]] | None:
    """Geoms: the one plane that links may touch, and these links; None where there may be other contacts, or none."""
    collides = (model.geom_contype[:, None] & model.geom_conaffinity) != 0
    collides |= collides.T
    still = model.body_weldid[model.geom_bodyid] == 0
    floors = np.flatnonzero(still & collides[:, ~still].any(1))
    explicit = model.npair or model.nexclude or model.nflex or model.geom_adhesion.any()
    if explicit or len(floors) != 1 or collides[~still][:, ~still].any():
        return None
    floor = int(floors[0])
    links = [int(link) for link in np.flatnonzero(~still & collides[floor])]
    named = all(model.geom(geom).name for geom in (floor, *links))
    alike = len(np.unique(model.geom_priority[[floor, *links]])) == 1  # else one geom's parameters hold alone
    plane = model.geom_type[floor] == mujoco.mjtGeom.mjGEOM_PLANE
    return (floor, links) if named and alike and plane else None
