"""Fields of a MuJoCo Warp model with one value per world, and the constants that MuJoCo derives from them."""

from __future__ import annotations

import mujoco
import mujoco_warp as mjw
import numpy as np
import torch
import warp as wp
from torch import Tensor

from metarl.envs.physics.warp_graphs import warp_device
from metarl.errors import MetarlError

# Fields that mj_setConst reads.
_INPUTS = {
    "qpos0", "body_mass", "body_inertia", "body_pos", "body_quat", "body_ipos", "body_iquat", "dof_armature",
    "jnt_pos", "jnt_axis", "tendon_armature", "actuator_armature", "actuator_gear", "eq_data", "geom_size", "site_pos",
    "site_quat", "cam_pos", "cam_quat", "light_pos", "light_dir",
}  # fmt: skip

# Fields that mj_setConst writes. A field shared by all worlds would silently receive the last world's value.
_DERIVED = (
    "body_subtreemass", "body_invweight0", "dof_invweight0", "tendon_length0", "tendon_invweight0", "actuator_acc0",
    "eq_data", "geom_aabb", "geom_rbound", "cam_pos0", "cam_poscom0", "cam_mat0", "light_pos0", "light_poscom0",
    "light_dir0",
)  # fmt: skip

_FLUID_FIELDS = {"opt.density", "opt.viscosity", "opt.wind"}


class BatchedFields(dict[str, Tensor]):
    """A mapping from model fields to views [B, ...]; a field is batched on first access."""

    def __init__(self, compiled: mujoco.MjModel, model: mjw.Model, num_envs: int, device: torch.device) -> None:
        self._compiled, self._model, self._num_envs, self._device = compiled, model, num_envs, device

    def __missing__(self, name: str) -> Tensor:
        view = self[name] = self._batched(name)
        if name in _FLUID_FIELDS:
            self._model.has_fluid = True  # Warp skips drag if the compiled values have none
        if name in _INPUTS:
            for derived in _DERIVED:
                if getattr(self._model, derived).size:
                    self[derived]
        return view

    def derived(self) -> list[Tensor]:
        """Return the batched fields that mj_setConst writes."""
        return [self[name] for name in _DERIVED if name in self]

    def _batched(self, name: str) -> Tensor:
        """Replace a shared field by an array with one copy per world.

        Raises MetarlError for a field that MuJoCo Warp cannot batch.
        """
        owner, source = (self._model, self._compiled)
        attribute = name
        if name.startswith("opt."):
            owner, source, attribute = self._model.opt, self._compiled.opt, name.removeprefix("opt.")
        shared = getattr(owner, attribute, None)
        if not isinstance(shared, wp.array) or not getattr(shared, "_is_batched", False):
            raise MetarlError(f"MuJoCo Warp cannot vary {name} per environment: vary it on cpu (engine='mujoco')")
        with warp_device(self._device):
            values = np.repeat(shared.numpy(), self._num_envs, axis=0)
            batched = wp.array(values, dtype=shared.dtype)
        batched._is_batched = True  # type: ignore[attr-defined]  # the flag that put_model sets on its arrays
        setattr(owner, attribute, batched)
        return wp.to_torch(batched).view(self._num_envs, *np.shape(getattr(source, attribute)))
