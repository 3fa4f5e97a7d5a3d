"""Physics on an NVIDIA GPU: MuJoCo Warp, float32. On CPU the same kernels run, for tests.

A step advances all worlds and then restores the state of the inactive ones, because the host cannot read which worlds
are active. Nothing here synchronises the device, so that a step can be captured in a CUDA graph with its surroundings.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

import mujoco
import mujoco_warp as mjw
import torch
import warp as wp
from torch import Tensor

from metarl.envs.physics.physics import DEFAULT_SIZES, BufferSizes, Physics
from metarl.envs.physics.warp_graphs import WarpGraph, capture_with_torch, warp_device
from metarl.envs.physics.warp_memory import check_memory
from metarl.envs.physics.warp_model import BatchedFields
from metarl.errors import MetarlError

MAX_VALUE = 1e10  # mjMAXVAL: a simulation with a larger value has diverged

# Fields that persist from step to step; everything else is computed from them.
_STATE_FIELDS = ("time", "qpos", "qvel", "act", "qacc_warmstart", "history", "plastic")

# Fields computed by kinematics alone, and fields that also need velocities but no forces.
_POSITION_FIELDS = {
    "xpos", "xquat", "xmat", "xipos", "ximat", "xanchor", "xaxis", "geom_xpos", "geom_xmat", "site_xpos", "site_xmat",
    "subtree_com", "cdof", "cinert",
}  # fmt: skip
_VELOCITY_FIELDS = {"cvel", "cdof_dot"}
_POSTCONSTRAINT_FIELDS = {"cacc", "cfrc_int", "cfrc_ext"}

# A solver that stops at its iteration limit drops nothing, so those bits are left out.
_DROPPED = int(mjw.OverflowType.ALL) & ~int(mjw.OverflowType.ITERATIONS | mjw.OverflowType.LS_ITERATIONS)
_CONSTRAINT_BITS = int(mjw.OverflowType.NEFC | mjw.OverflowType.NJMAX_NNZ)


class StateField(NamedTuple):
    """One field of the state: its current, initial and previous value, where previous is that before the step."""

    current: Tensor
    initial: Tensor
    previous: Tensor


class WarpPhysics(Physics):
    """B simulations as the worlds of one `mujoco_warp.Data`."""

    may_overflow = True

    engine = "warp"

    def __init__(
        self,
        model: mujoco.MjModel,
        num_envs: int,
        frame_skip: int,
        device: torch.device,
        derived: tuple[str, ...] = (),
        buffer_sizes: BufferSizes = DEFAULT_SIZES,
    ) -> None:
        self.model = model
        self.num_envs = num_envs
        self.device = _with_index(device)
        self.dtype = torch.float32
        self.frame_skip = frame_skip
        self.dt = frame_skip * model.opt.timestep
        with warp_device(self.device):
            self.device_model = _put_model(model)
            check_memory(model, num_envs, buffer_sizes, self.device)
            contacts, constraints = buffer_sizes
            self.device_data = mjw.make_data(model, num_envs, nconmax=contacts, njmax=constraints)
            self._set_options("sensordata" in derived)
        self.qpos0 = self.default("qpos0")
        self.qpos, self.qvel, self.ctrl = (self._view(name) for name in ("qpos", "qvel", "ctrl"))
        self._derived = {name: self._view(name) for name in derived}
        views = (self._view(name) for name in _STATE_FIELDS)
        self._state = [StateField(view, view.clone(), view.clone()) for view in views if view.numel()]
        self._captured = False  # whether a step was captured in a graph beyond this class
        self._qacc, self._overflow = self._view("qacc"), self._view("overflow")
        self._dropped = torch.zeros_like(self._overflow)  # overflow bits since the last call of `overflow_warning`
        self.substeps = WarpGraph(self._launch_substeps, self.device)
        self.derive = WarpGraph(self._launch_derived, self.device)
        self.constants = WarpGraph(lambda: mjw.set_const(self.device_model, self.device_data), self.device)
        self._fields = BatchedFields(model, self.device_model, num_envs, self.device)

    def data(self, name: str) -> Tensor:
        return self._derived[name]

    def field(self, name: str) -> Tensor:
        if name not in self._fields:
            if self._captured:
                raise MetarlError(f"a step was captured without {name} as a field: request it before the first step")
            for graph in (self.substeps, self.derive, self.constants):
                graph.invalidate()
        return self._fields[name]

    def refresh(self, mask: Tensor) -> None:
        derived = self._fields.derived()
        before = [field.clone() for field in derived]
        self.constants()  # updates all worlds
        for field, value in zip(derived, before, strict=True):
            _select_into(field, mask, field, value)

    def reset(self, mask: Tensor, qpos: Tensor, qvel: Tensor) -> None:
        for field in self._state:
            _select_into(field.current, mask, field.initial, field.current)
        _select_into(self.ctrl, mask, torch.zeros_like(self.ctrl), self.ctrl)
        _select_into(self.qpos, mask, qpos.to(self.dtype), self.qpos)
        _select_into(self.qvel, mask, qvel.to(self.dtype), self.qvel)
        self._update_derived()

    def step(self, active: Tensor) -> Tensor:
        for field in self._state:
            field.previous.copy_(field.current)
        self._overflow.zero_()
        self.substeps()
        self._dropped |= self._overflow * active & _DROPPED
        finite = torch.stack([(x.abs() <= MAX_VALUE).all(1) for x in (self.qpos, self.qvel, self._qacc)]).all(0)
        diverged = active & ~finite
        for field in self._state:
            _select_into(field.current, active, field.current, field.previous)
            _select_into(field.current, diverged, field.initial, field.current)
        self._update_derived()
        return diverged

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        self._captured = True
        return capture_with_torch(work, self.device)

    def overflowed(self) -> Tensor:
        return (self._overflow & _DROPPED) != 0

    def overflow_warning(self) -> str | None:
        dropped = self._dropped.clone().cpu()
        self._dropped.zero_()
        if not dropped.any():
            return None
        data, of_constraints = self.device_data, bool((dropped & _CONSTRAINT_BITS).any())
        name, size = ("constraints", data.njmax) if of_constraints else ("contacts", data.naconmax // self.num_envs)
        where = f"in {int((dropped != 0).sum())} of {self.num_envs} environments"
        return f"{name} did not fit {where} and were dropped: raise `{name}` in the robot's `buffer_sizes`, now {size}"

    def single(self, index: int) -> tuple[mujoco.MjModel, mujoco.MjData]:
        model = copy.copy(self.model)
        for name, field in self._fields.items():
            owner = model.opt if name.startswith("opt.") else model
            value = field[index].cpu().double().numpy()
            setattr(owner, name.removeprefix("opt."), value if value.ndim else float(value))
        data = mujoco.MjData(model)
        mujoco.mj_setConst(model, data)
        data.qpos[:], data.qvel[:], data.ctrl[:] = (x[index].cpu().numpy() for x in (self.qpos, self.qvel, self.ctrl))
        mujoco.mj_forward(model, data)
        return model, data

    def _update_derived(self) -> None:
        """Compute the derived fields at the current state; a plain step leaves them one substep behind."""
        if self._derived:
            self.derive()

    def _launch_substeps(self) -> None:
        for _ in range(self.frame_skip):
            mjw.step(self.device_model, self.device_data)

    def _launch_derived(self) -> None:
        """Launch the cheapest computation of the derived fields; forces cost most."""
        m, d = self.device_model, self.device_data
        needed = set(self._derived)
        if not needed <= _POSITION_FIELDS | _VELOCITY_FIELDS:
            m.opt.run_rne_postconstraint = bool(needed & _POSTCONSTRAINT_FIELDS)
            mjw.forward(m, d)
            m.opt.run_rne_postconstraint = False
            return
        mjw.fwd_kinematics(m, d)
        if needed & _VELOCITY_FIELDS:
            mjw.com_vel(m, d)

    def _set_options(self, needs_sensors: bool) -> None:
        if self.device.type == "cuda":  # with older drivers, all iterations of the solver run
            self.device_model.opt.graph_conditional = wp.is_conditional_graph_supported()
        self.device_model.opt.warn_overflow = 0  # a kernel would print once per world; the overflow bits are read
        if not needs_sensors:
            self.device_model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_SENSOR)

    def _view(self, name: str) -> Tensor:
        """Return a field of the device data as a torch view [B, ...] with MuJoCo's shape."""
        if not isinstance(array := getattr(self.device_data, name, None), wp.array):
            raise MetarlError(f"MuJoCo Warp has no field {name!r}: use engine='mujoco' on cpu")
        shape = (self.num_envs,) if name == "overflow" else (self.num_envs, *_shape(self.model, name))
        return wp.to_torch(array).view(shape)


def _shape(model: mujoco.MjModel, name: str) -> tuple[int, ...]:
    value = getattr(mujoco.MjData(model), name)
    return value.shape if hasattr(value, "shape") else ()


def _put_model(model: mujoco.MjModel) -> mjw.Model:
    try:
        return mjw.put_model(model)
    except (NotImplementedError, ValueError) as error:
        raise MetarlError(
            f"MuJoCo Warp, the engine on cuda, cannot simulate this robot: {error} Use engine='mujoco' on cpu, or "
            "change the MJCF"
        ) from error


def _with_index(device: torch.device) -> torch.device:
    """Return the device with an explicit index: "cuda" is the current GPU."""
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device


def _select_into(target: Tensor, mask: Tensor, where_set: Tensor, elsewhere: Tensor) -> None:
    """Write `where_set` to the masked worlds of `target` and `elsewhere` to the others, without a host copy."""
    target.copy_(torch.where(mask.view(-1, *[1] * (target.dim() - 1)), where_set, elsewhere))
