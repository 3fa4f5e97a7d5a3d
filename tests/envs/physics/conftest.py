"""A fixture that runs both physics engines on one model, with the same states and model fields."""

import copy
from collections.abc import Callable

import mujoco
import pytest
import torch

from metarl import registry
from metarl.envs.physics import Physics, make_physics

CPU = torch.device("cpu")
INERTIAL = ("body_mass", "body_inertia", "actuator_gear")
VARIED = (*INERTIAL, "geom_friction", "dof_damping", "opt.gravity")


class EnginePair:
    """`mujoco.batch` and MuJoCo Warp with the same values of the fields VARIED, different in each simulation."""

    def __init__(self, world: str, num_envs: int = 4, elliptic: bool = True, derived: tuple[str, ...] = ()) -> None:
        robot = registry.find("world", world)
        model = copy.copy(robot.model)
        if elliptic:
            model.opt.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
        self.g = torch.Generator().manual_seed(0)
        self.both: list[Physics] = [
            make_physics(model, num_envs, robot.frame_skip, CPU, engine, derived, robot.buffer_sizes)
            for engine in ("mujoco", "warp")
        ]
        self.all_envs = torch.ones(num_envs, dtype=torch.bool)

    def random(self, *shape: int) -> torch.Tensor:
        """Draw from the uniform distribution on [-1, 1), float64."""
        return torch.rand(shape, generator=self.g, dtype=torch.float64) * 2 - 1

    def vary(self, names: tuple[str, ...] = VARIED, mask: torch.Tensor | None = None) -> None:
        """Scale each element by a factor in [0.7, 1.4]; a body's inertia has the factor of its mass."""
        mask = self.all_envs if mask is None else mask
        factors: dict[str, torch.Tensor] = {}
        for name in names:
            default = self.both[0].default(name)
            rows = (len(mask), *default.shape[:1]) if default.dim() > 1 else (len(mask), default.shape[0])
            of_mass = factors.get("body_mass") if name == "body_inertia" else None
            factors[name] = torch.exp(0.35 * self.random(*rows)) if of_mass is None else of_mass
            factor = factors[name].reshape(*rows, *[1] * (default.dim() - 1))
            for physics in self.both:
                physics.field(name)[mask] = (default * factor)[mask].to(physics.dtype)
        for physics in self.both:
            physics.refresh(mask)

    def reset(self) -> None:
        """Reset both engines to the same start states, which float32 represents exactly."""
        qpos = (self.both[0].default("qpos0") + 0.05 * self.random(*self.both[0].qpos.shape)).float()
        for joint in self.both[0].model.jnt_qposadr[self.both[0].model.jnt_type == mujoco.mjtJoint.mjJNT_FREE]:
            quaternion = qpos[:, joint + 3 : joint + 7]
            quaternion /= quaternion.norm(dim=1, keepdim=True)
        qvel = (0.1 * self.random(*self.both[0].qvel.shape)).float()
        for physics in self.both:
            physics.reset(self.all_envs, qpos, qvel)

    def sync_states(self) -> None:
        """Copy the state of C MuJoCo to Warp."""
        for name in ("qpos", "qvel"):
            cpu, warp = (getattr(physics, name) for physics in self.both)
            warp.copy_(cpu)

    def act(self, scale: float = 1.0) -> None:
        ctrl = (scale * self.random(*self.both[0].ctrl.shape)).float()
        for physics in self.both:
            physics.ctrl.copy_(ctrl)

    def step(self) -> None:
        for physics in self.both:
            diverged = physics.step(self.all_envs)
            assert diverged is None or not diverged.any()

    def difference(self) -> float:
        """Return the largest absolute difference of positions, and of velocities divided by ten."""
        a, b = self.both
        return max(float((a.qpos - b.qpos).abs().max()), float((a.qvel - b.qvel).abs().max()) / 10)


@pytest.fixture
def pair() -> Callable[..., EnginePair]:
    pytest.importorskip("mujoco_warp")
    return EnginePair
