"""Physics on CPU: `mujoco.batch.Batch`, float64, bit-identical to a loop over single MjData for any thread count."""

from __future__ import annotations

import mujoco
import numpy as np
import torch
from mujoco.batch import Batch, SimulationError
from torch import Tensor

from metarl.envs.physics import timers
from metarl.envs.physics.physics import Physics
from metarl.errors import MetarlError
from metarl.runtime.threads import physics_threads

# MuJoCo resets a simulation when it raises one of these warnings, and reports it only in the warning's count.
_DIVERGENCE_WARNINGS = [
    int(mujoco.mjtWarning.mjWARN_BADQPOS),
    int(mujoco.mjtWarning.mjWARN_BADQVEL),
    int(mujoco.mjtWarning.mjWARN_BADQACC),
]

# Fields that MuJoCo computes only in its acceleration stage. A subset of them is computed only if the model has one of
# the sensors below.
_ACCELERATION_FIELDS = {
    "qacc", "qacc_smooth", "qfrc_smooth", "qfrc_constraint", "qfrc_actuator", "actuator_force", "act_dot", "sensordata",
    "cacc", "cfrc_int", "cfrc_ext",
}  # fmt: skip
_POSTCONSTRAINT_FIELDS = {"cacc", "cfrc_int", "cfrc_ext"}
_POSTCONSTRAINT_SENSORS = [
    int(mujoco.mjtSensor.mjSENS_ACCELEROMETER), int(mujoco.mjtSensor.mjSENS_FORCE), int(mujoco.mjtSensor.mjSENS_TORQUE),
    int(mujoco.mjtSensor.mjSENS_FRAMELINACC), int(mujoco.mjtSensor.mjSENS_FRAMEANGACC),
]  # fmt: skip


class CpuPhysics(Physics):
    """Simulations on a C thread pool."""

    engine = "mujoco"
    host_readable = True

    def __init__(self, model: mujoco.MjModel, num_envs: int, frame_skip: int, derived: tuple[str, ...] = ()) -> None:
        timers.stop()
        self.model = model
        self.num_envs = num_envs
        self.device = torch.device("cpu")
        self.dtype = torch.float64
        self.frame_skip = frame_skip
        self.dt = frame_skip * model.opt.timestep
        self.batch = Batch(model, num_envs, nthread=min(physics_threads(), num_envs))
        self.qpos0 = self.default("qpos0")
        self.qpos, self.qvel, self.ctrl = (torch.from_numpy(self.batch.bind(n)) for n in ("qpos", "qvel", "ctrl"))
        # After a plain step, derived fields belong to the state before the last substep; `stage` updates them.
        self._derived = {name: torch.from_numpy(_writable(self.batch.bind(name))) for name in derived}
        self.stage = self._stage_for(derived)  # the MuJoCo stage computed at the state after a step
        self._fields: dict[str, Tensor] = {}
        self._warnings = self.batch.warning.tobytes()

    def data(self, name: str) -> Tensor:
        return self._derived[name]

    def field(self, name: str) -> Tensor:
        if name not in self._fields:
            self._fields[name] = torch.from_numpy(self.batch.expand(name))
        return self._fields[name]

    def refresh(self, mask: Tensor) -> None:
        self.batch.set_const(self._ids(mask))

    def reset(self, mask: Tensor, qpos: Tensor, qvel: Tensor) -> None:
        ids = self._ids(mask)
        self.batch.reset(ids, stage=int(mujoco.mjtStage.mjSTAGE_NONE))
        if ids is None:
            self.qpos.copy_(qpos)
            self.qvel.copy_(qvel)
        else:
            self.qpos[mask] = qpos[mask].to(self.dtype)
            self.qvel[mask] = qvel[mask].to(self.dtype)
        if self._derived:
            self.batch.forward(ids, stage=self.stage)

    def step(self, active: Tensor) -> Tensor | None:
        failed: np.ndarray | None = None
        try:
            self.batch.step(self._ids(active), self.frame_skip, self.stage)
        except SimulationError as error:  # these simulations kept their state; the others completed the step
            failed = error.ids
        if failed is None and self.batch.warning.tobytes() == self._warnings:  # no new warning: none diverged
            return None
        diverged = self.batch.warning[:, _DIVERGENCE_WARNINGS, 1].any(1)
        if failed is not None:
            diverged[failed] = True
        if diverged.any():  # resets the state to qpos0 and the warning counts to zero, which MuJoCo leaves at one
            self.batch.reset(diverged, stage=self.stage)
        self._warnings = self.batch.warning.tobytes()  # after the reset: all divergence counts are zero
        return torch.from_numpy(diverged)

    def single(self, index: int) -> tuple[mujoco.MjModel, mujoco.MjData]:
        data = self.batch.get_data(index)
        model = self.batch.get_model(index)
        mujoco.mj_forward(model, data)
        return model, data

    def _stage_for(self, derived: tuple[str, ...]) -> int:
        """Return the cheapest MuJoCo stage that computes these fields; the acceleration stage costs most."""
        needed = _POSTCONSTRAINT_FIELDS.intersection(derived)
        if needed and not np.isin(self.model.sensor_type, _POSTCONSTRAINT_SENSORS).any():
            raise MetarlError(
                f"MuJoCo leaves {', '.join(sorted(needed))} empty unless the MJCF has a sensor of accelerations or "
                'forces: add <sensor><framelinacc objtype="body" objname="..."/></sensor>'
            )
        if _ACCELERATION_FIELDS.intersection(derived):
            return int(mujoco.mjtStage.mjSTAGE_ACC)
        return int(mujoco.mjtStage.mjSTAGE_VEL if derived else mujoco.mjtStage.mjSTAGE_NONE)

    @staticmethod
    def _ids(mask: Tensor) -> np.ndarray | None:
        """Return the mask as an array; None if it is set everywhere, so that the engine builds no index list."""
        ids = mask.numpy()
        return None if ids.all() else ids


def _writable(view: np.ndarray) -> np.ndarray:
    """Return a view of the same memory without the read-only flag, which torch warns about; it is never written to."""
    view = view.view()
    view.flags.writeable = True
    return view
