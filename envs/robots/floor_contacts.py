"""Explicit contact pairs for robots that can touch only the floor.

With explicit pairs, MuJoCo does not search for colliding geoms at each substep. This search, and the division into
constraint islands where there is only one, take a fifth of the time of a small robot's step. Contacts stay
bit-identical: the pairs are the same, in the same order, and MuJoCo mixes their parameters from the same two geoms.
"""

from __future__ import annotations

import mujoco
import numpy as np

UNSET = float("nan")  # a parameter of a pair that MuJoCo mixes from the geoms
PAIR_PREFIX = "floor: "  # prefix of the names of the pairs added here

# Geom fields from which MuJoCo mixes contact parameters. A change after compilation has no effect on explicit pairs.
CONTACT_FIELDS = {
    "geom_contype", "geom_conaffinity", "geom_condim", "geom_priority", "geom_friction", "geom_solmix", "geom_solref",
    "geom_solimp", "geom_margin", "geom_gap", "geom_adhesion",
}  # fmt: skip


def compile_with_floor_pairs(spec: mujoco.MjSpec) -> mujoco.MjModel:
    """Compile a model; if only contacts with the floor are possible, make them explicit pairs. Modifies `spec`."""
    model = spec.compile()
    geoms = _floor_and_links(model)
    if geoms is not None:
        floor, links = geoms
        for link in links:
            a, b = model.geom(floor), model.geom(link)
            condim = int(max(a.condim[0], b.condim[0]))
            pair = spec.add_pair(name=PAIR_PREFIX + b.name, geomname1=a.name, geomname2=b.name, condim=condim)
            pair.friction, pair.solref, pair.solimp = [UNSET] * 5, [UNSET] * 2, [UNSET] * 5
            pair.solreffriction = [0.0, 0.0]
            pair.margin, pair.gap = float(a.margin[0] + b.margin[0]), float(a.gap[0] + b.gap[0])
        for geom in spec.geoms:
            geom.contype = geom.conaffinity = 0
        with_pairs = spec.compile()
        # The compiler option `discardvisual` removes geoms without contact flags; then keep the first model.
        model = with_pairs if with_pairs.ngeom == model.ngeom else model
    if model.ntree == 1 and not model.opt.enableflags & int(mujoco.mjtEnableBit.mjENBL_SLEEP):  # sleep needs islands
        model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_ISLAND)
    return model


def _floor_and_links(model: mujoco.MjModel) -> tuple[int, list[int]] | None:
    """Return the ids of the only plane that links may touch, and of these links.

    None if other contacts, or no contacts, are possible.
    """
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
    mixed = len(np.unique(model.geom_priority[[floor, *links]])) == 1  # else the geom of higher priority decides alone
    plane = model.geom_type[floor] == mujoco.mjtGeom.mjGEOM_PLANE
    return (floor, links) if named and mixed and plane else None
