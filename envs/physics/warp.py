"""Physics on an NVIDIA GPU: MuJoCo Warp, float32. On CPU it runs the same kernels, for tests.

All worlds are stepped, those at rest too, which are then put back: who rests is never known to the host. Nothing here
waits for the device, so that a step can be captured with what surrounds it.
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

from metarl.envs.physics.contract import ANY_ROOM, Physics, Room
from metarl.envs.physics.warp_graphs import WarpGraph, capture_with_torch, on
from metarl.envs.physics.warp_memory import check_memory
from metarl.envs.physics.warp_model import Fields
from metarl.errors import MetarlError

MOST = 1e10  # beyond it MuJoCo calls a simulation diverged (mjMAXVAL)

# What a step carries over to the next; everything else is computed anew from it.
_CARRIED = ("time", "qpos", "qvel", "act", "qacc_warmstart", "history", "plastic")

# What kinematics alone computes, and of what more than that needs no forces.
_OF_POSITION = {
    "xpos", "xquat", "xmat", "xipos", "ximat", "xanchor", "xaxis", "geom_xpos", "geom_xmat", "site_xpos", "site_xmat",
    "subtree_com", "cdof", "cinert",
}  # fmt: skip
_OF_VELOCITY = {"cvel", "cdof_dot"}
_AFTER_CONSTRAINTS = {"cacc", "cfrc_int", "cfrc_ext"}

# Solvers that stop at their last iteration have dropped nothing.
_DROPPED = int(mjw.OverflowType.ALL) & ~int(mjw.OverflowType.ITERATIONS | mjw.OverflowType.LS_ITERATIONS)
_ROWS = int(mjw.OverflowType.NEFC | mjw.OverflowType.NJMAX_NNZ)


class Carried(NamedTuple):
    """A part of the state: where it is, what it is at a start, and what it was before the step."""

    now: Tensor
    start: Tensor
    before: Tensor


class WarpPhysics(Physics):
    """Simulations as the worlds of one `mujoco_warp.Data`."""

    engine = "warp"

    def __init__(
        self,
        model: mujoco.MjModel,
        num_envs: int,
        frame_skip: int,
        device: torch.device,
        derived: tuple[str, ...] = (),
        room: Room = ANY_ROOM,
    ) -> None:
        self.model = model
        self.num_envs = num_envs
        self.device = _numbered(device)
        self.dtype = torch.float32
        self.frame_skip = frame_skip
        self.dt = frame_skip * model.opt.timestep
        with on(self.device):
            self.device_model = _put(model)
            check_memory(model, num_envs, room, self.device)
            self.device_data = mjw.make_data(model, num_envs, nconmax=room.contacts, njmax=room.constraints)
            self._set_options("sensordata" in derived)
        self.qpos, self.qvel, self.ctrl = (self._view(name) for name in ("qpos", "qvel", "ctrl"))
        self._derived = {name: self._view(name) for name in derived}
        carried = (self._view(name) for name in _CARRIED)
        self._carried = [Carried(now, now.clone(), now.clone()) for now in carried if now.numel()]
        self._captured = False  # in a graph that holds more than physics
        self._qacc, self._overflow = self._view("qacc"), self._view("overflow")
        self._dropped = torch.zeros_like(self._overflow)  # since last asked
        self.substeps = WarpGraph(self._launch_substeps, self.device)
        self.derive = WarpGraph(self._launch_derived, self.device)
        self.constants = WarpGraph(lambda: mjw.set_const(self.device_model, self.device_data), self.device)
        self._fields = Fields(model, self.device_model, num_envs, self.device)

    def data(self, name: str) -> Tensor:
        return self._derived[name]

    def field(self, name: str) -> Tensor:
        if name not in self._fields:
            if self._captured:
                raise MetarlError(f"a step was captured without {name} as a field: ask for it before the first step")
            for captured in (self.substeps, self.derive, self.constants):
                captured.forget()
        return self._fields[name]

    def refresh(self, mask: Tensor) -> None:
        derived = self._fields.derived()
        before = [field.clone() for field in derived]
        self.constants()  # of all worlds
        for field, value in zip(derived, before, strict=True):
            _choose(field, mask, field, value)

    def reset(self, mask: Tensor, qpos: Tensor, qvel: Tensor) -> None:
        for part in self._carried:
            _choose(part.now, mask, part.start, part.now)
        _choose(self.ctrl, mask, torch.zeros_like(self.ctrl), self.ctrl)
        _choose(self.qpos, mask, qpos.to(self.dtype), self.qpos)
        _choose(self.qvel, mask, qvel.to(self.dtype), self.qvel)
        self._bring_up_to_date()

    def step(self, active: Tensor) -> Tensor:
        for part in self._carried:
            part.before.copy_(part.now)
        self._overflow.zero_()
        self.substeps()
        self._dropped |= self._overflow * active & _DROPPED
        sound = torch.stack([(x.abs() <= MOST).all(1) for x in (self.qpos, self.qvel, self._qacc)]).all(0)
        diverged = active & ~sound
        for part in self._carried:
            _choose(part.now, active, part.now, part.before)
            _choose(part.now, diverged, part.start, part.now)
        self._bring_up_to_date()
        return diverged

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        self._captured = True
        return capture_with_torch(work, self.device)

    def overflowed(self) -> Tensor:
        return (self._overflow & _DROPPED) != 0

    def trouble(self) -> str | None:
        dropped = self._dropped.clone().cpu()
        self._dropped.zero_()
        if not dropped.any():
            return None
        rows = bool((dropped & _ROWS).any())
        d = self.device_data
        what, size = ("constraints", d.njmax) if rows else ("contacts", d.naconmax // self.num_envs)
        where = f"in {int((dropped != 0).sum())} of {self.num_envs} environments"
        return f"{what} did not fit {where} and were left out: raise `{what}` in the robot's `room`, now {size}"

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

    def _bring_up_to_date(self) -> None:
        """A plain step leaves derived fields a substep behind."""
        if self._derived:
            self.derive()

    def _launch_substeps(self) -> None:
        for _ in range(self.frame_skip):
            mjw.step(self.device_model, self.device_data)

    def _launch_derived(self) -> None:
        """No more than is read: forces cost most."""
        m, d = self.device_model, self.device_data
        wanted = set(self._derived)
        if not wanted <= _OF_POSITION | _OF_VELOCITY:
            m.opt.run_rne_postconstraint = bool(wanted & _AFTER_CONSTRAINTS)
            mjw.forward(m, d)
            m.opt.run_rne_postconstraint = False
            return
        mjw.fwd_kinematics(m, d)
        if wanted & _OF_VELOCITY:
            mjw.com_vel(m, d)

    def _set_options(self, sensed: bool) -> None:
        if self.device.type == "cuda":  # older drivers run every iteration of the solver
            self.device_model.opt.graph_conditional = wp.is_conditional_graph_supported()
        self.device_model.opt.warn_overflow = 0  # bits are read instead: printing from a kernel says it once a world
        if not sensed:
            self.device_model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_SENSOR)

    def _view(self, name: str) -> Tensor:
        """[B, ...] as MuJoCo shapes it."""
        if not isinstance(array := getattr(self.device_data, name, None), wp.array):
            raise MetarlError(f"MuJoCo Warp has no {name!r} to read: use engine='mujoco' on cpu")
        shape = (self.num_envs,) if name == "overflow" else (self.num_envs, *_shape(self.model, name))
        return wp.to_torch(array).view(shape)


def _shape(model: mujoco.MjModel, name: str) -> tuple[int, ...]:
    value = getattr(mujoco.MjData(model), name)
    return value.shape if hasattr(value, "shape") else ()


def _put(model: mujoco.MjModel) -> mjw.Model:
    try:
        return mjw.put_model(model)
    except (NotImplementedError, ValueError) as error:
        raise MetarlError(
            f"MuJoCo Warp, the engine on cuda, cannot simulate this robot: {error} Use engine='mujoco' on cpu, or "
            "change the MJCF"
        ) from error


def _numbered(device: torch.device) -> torch.device:
    """`cuda` is the current GPU, by its number."""
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device


def _choose(into: Tensor, mask: Tensor, where_set: Tensor, elsewhere: Tensor) -> None:
    """In place and without a host copy: one of two values for each world."""
    into.copy_(torch.where(mask.view(-1, *[1] * (into.dim() - 1)), where_set, elsewhere))
