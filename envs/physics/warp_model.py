"""Fields of a MuJoCo Warp model with a value for each world, and the constants MuJoCo derives from them."""

from __future__ import annotations

import mujoco
import mujoco_warp as mjw
import numpy as np
import torch
import warp as wp
from torch import Tensor

from metarl.envs.physics.warp_graphs import on
from metarl.errors import MetarlError

# What mj_setConst reads.
_INPUTS = {
    "qpos0", "body_mass", "body_inertia", "body_pos", "body_quat", "body_ipos", "body_iquat", "dof_armature",
    "jnt_pos", "jnt_axis", "tendon_armature", "actuator_armature", "actuator_gear", "eq_data", "geom_size", "site_pos",
    "site_quat", "cam_pos", "cam_quat", "light_pos", "light_dir",
}  # fmt: skip

# What it writes. Where such a field holds one value for all, it holds the last world's, and nothing says so.
_DERIVED = (
    "body_subtreemass", "body_invweight0", "dof_invweight0", "tendon_length0", "tendon_invweight0", "actuator_acc0",
    "eq_data", "geom_aabb", "geom_rbound", "cam_pos0", "cam_poscom0", "cam_mat0", "light_pos0", "light_poscom0",
    "light_dir0",
)  # fmt: skip

_OF_FLUID = {"opt.density", "opt.viscosity", "opt.wind"}


class Fields(dict[str, Tensor]):
    """Model field -> live view [B, ...], made when it is first asked for."""

    def __init__(self, compiled: mujoco.MjModel, model: mjw.Model, num_envs: int, device: torch.device) -> None:
        self._compiled, self._model, self._num_envs, self._device = compiled, model, num_envs, device

    def __missing__(self, name: str) -> Tensor:
        view = self[name] = self._widened(name)
        if name in _OF_FLUID:
            self._model.has_fluid = True  # else Warp leaves drag out, as it did for the compiled values
        if name in _INPUTS:
            for derived in _DERIVED:
                if getattr(self._model, derived).size:
                    self[derived]
        return view

    def derived(self) -> list[Tensor]:
        """Those that mj_setConst writes."""
        return [self[name] for name in _DERIVED if name in self]

    def _widened(self, name: str) -> Tensor:
        """Give every world the value all share now."""
        owner, source = (self._model, self._compiled)
        attribute = name
        if name.startswith("opt."):
            owner, source, attribute = self._model.opt, self._compiled.opt, name.removeprefix("opt.")
        shared = getattr(owner, attribute, None)
        if not isinstance(shared, wp.array) or not getattr(shared, "_is_batched", False):
            raise MetarlError(f"MuJoCo Warp has no {name} of each environment's own: vary it on cpu (engine='mujoco')")
        with on(self._device):
            values = np.repeat(shared.numpy(), self._num_envs, axis=0)
            wide = wp.array(values, dtype=shared.dtype)
        wide._is_batched = True  # type: ignore[attr-defined]  # as put_model marks its own
        setattr(owner, attribute, wide)
        return wp.to_torch(wide).view(self._num_envs, *np.shape(getattr(source, attribute)))
