"""What a robot is: its model, named observation parts, named reward terms, start state, and when it has fallen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import mujoco
import torch
from torch import Tensor
from torch.linalg import vector_norm

from metarl import registry
from metarl.core.rng import CounterRNG
from metarl.core.simulation import Simulation
from metarl.core.world import World
from metarl.envs.goals.goal import Goal
from metarl.envs.perturbations.elements import named_elements, split
from metarl.envs.perturbations.perturbation import Perturbation
from metarl.envs.perturbations.switch import AFTER, second_values
from metarl.envs.physics import ANY_ROOM, INSTALL, Physics, Room, default_engine, make_physics
from metarl.envs.robots.floor_contacts import OF_CONTACTS, compiled
from metarl.envs.robots.terms import action_cost, alive
from metarl.errors import MetarlError, unknown
from metarl.tasks.parameter import Parameter

if TYPE_CHECKING:
    from metarl.tasks.world_config import WorldConfig

SETTINGS = ("observation", "weights", "fall_ends", "frame_skip")


class Robot(World):
    """A MuJoCo robot as a world. Subclass it, or register an instance; see `half_cheetah.py` for a page of one.

    Settings a distribution may give: `observation` (names of parts, in order), `weights` (reward term -> weight),
    `fall_ends` (whether a fall ends the episode), `frame_skip` (physics steps in an env step).
    """

    name: str
    mjcf: Path | str  # a file, or the XML itself
    frame_skip: int
    observation_parts: Mapping[str, Callable[[Physics], Tensor]]  # name -> [B, n]
    observation: tuple[str, ...]  # the parts seen by default
    # name -> reward [B] beside the goal's, of physics after the step and the action in [-1, 1]
    reward_terms: Mapping[str, Callable[[Physics, Tensor], Tensor]] = {"control": action_cost, "alive": alive}
    weights: Mapping[str, float] = {}  # of reward terms; unless named, a goal's weigh 1 and the robot's own 0
    derived: tuple[str, ...] = ()  # MjData fields it reads beside qpos, qvel and ctrl
    reads: Mapping[str, tuple[str, ...]] = {}  # the same for one observation part or reward term, where that is in use
    room: Room = ANY_ROOM  # what a GPU keeps room for: less is faster, what does not fit is dropped and flagged
    qpos_noise: float = 0.0  # a start position is the model's plus U(-noise, noise)
    qvel_noise: float = 0.0  # a start velocity is noise * N(0, 1), or U(-noise, noise)
    qvel_sampler: Literal["normal", "uniform"] = "normal"

    def place(self, physics: Physics) -> Tensor:
        """[B, d]: what goals of velocity, direction and place speak of, m."""
        return physics.qpos[:, :1]

    def tilt(self, physics: Physics) -> Tensor | None:
        """[B, 2]: angle from upright and its rate, rad and rad/s; None for a robot that has no upright."""
        return None

    def fallen(self, physics: Physics) -> Tensor | None:
        """bool [B], or None for a robot that cannot fall."""
        return None

    def start(self, physics: Physics, random: CounterRNG) -> tuple[Tensor, Tensor]:
        """Start states qpos [B, nq] and qvel [B, nv]."""
        nq, nv = physics.qpos.shape[1], physics.qvel.shape[1]
        qpos = physics.default("qpos0") + self.qpos_noise * _plus_minus_1(random, "start position", nq)
        for at in self._quaternions:
            qpos[:, at : at + 4] /= vector_norm(qpos[:, at : at + 4], dim=1, keepdim=True)
        if self.qvel_sampler == "uniform":
            return qpos, self.qvel_noise * _plus_minus_1(random, "start velocity", nv)
        return qpos, self.qvel_noise * random.normal("start velocity", (nv,), torch.float64)

    # As a world ------------------------------------------------------------------------------------------------

    @cached_property
    def model(self) -> mujoco.MjModel:
        """The compiled model."""
        return self._compiled(compiled)

    @cached_property
    def _untold(self) -> mujoco.MjModel:
        """The same, as MuJoCo alone compiles it."""
        return self._compiled(mujoco.MjSpec.compile)

    def model_under(self, perturbations: Sequence[Perturbation]) -> mujoco.MjModel:
        """What to simulate: pairs hold what their geoms had, so there are none where that is changed without them."""
        changed = [set(p.fields) for p in perturbations]
        return self._untold if any(f & OF_CONTACTS and "pair_friction" not in f for f in changed) else self.model

    def _compiled(self, how: Callable[[mujoco.MjSpec], mujoco.MjModel]) -> mujoco.MjModel:
        try:
            return how(self.spec())
        except ValueError as error:
            raise MetarlError(f"the MJCF of the robot {self.name!r} does not compile: {error}".strip()) from error

    def spec(self) -> mujoco.MjSpec:
        """The MJCF as MuJoCo parses it; ValueError, MuJoCo's own, where it cannot."""
        if self._file is None:
            return mujoco.MjSpec.from_string(str(self.mjcf))
        return mujoco.MjSpec.from_file(str(self._file))

    @cached_property
    def _file(self) -> Path | None:
        """Where the MJCF is, or None for one given as XML."""
        if isinstance(self.mjcf, str) and "<" in self.mjcf:
            return None
        path = Path(self.mjcf)
        if not path.is_file():
            raise MetarlError(
                f"the robot {self.name!r} has no MJCF at {path.absolute()}: give the XML itself, or the file's whole "
                'path, such as Path(__file__).with_name("robot.xml")'
            )
        return path

    @cached_property
    def _quaternions(self) -> list[int]:
        """Where in qpos the orientations of free and ball joints begin."""
        joints = zip(self.model.jnt_type, self.model.jnt_qposadr, strict=True)
        offset = {int(mujoco.mjtJoint.mjJNT_FREE): 3, int(mujoco.mjtJoint.mjJNT_BALL): 0}
        return [int(at) + offset[int(kind)] for kind, at in joints if int(kind) in offset]

    def parameters(self, config: WorldConfig) -> tuple[Parameter, ...]:
        self._check_settings(config)
        owners: dict[str, str] = {}
        known: list[Parameter] = []
        for owner, parameters in self._owners(config):
            for parameter in parameters:
                if parameter.name in owners:
                    raise MetarlError(
                        f"the {owner} and the {owners[parameter.name]} both claim the parameter {parameter.name!r}"
                    )
                owners[parameter.name] = owner
                known.append(parameter)
        named = config.parameters
        labels = {name: names for p in self.perturbations() for name, names in p.labels(self.model).items()}
        known += named_elements({p.name: p for p in known}, labels, named)
        return (*known, *second_values({p.name: p for p in known}, named))

    def configured(self, config: WorldConfig) -> tuple[list[Perturbation], list[Parameter]]:
        """The perturbations that these tasks need, and every parameter that goal and perturbations will ask for."""
        vectors = {split(name)[0] for name in config.parameters}
        known = {parameter.name: parameter for parameter in self.parameters(config)}
        perturbations = [p for p in self.perturbations() if vectors & {q.name for q in p.parameters(self.model)}]
        asked = [q.name for owner in (self.goal(config), *perturbations) for q in _parameters(owner, self.model)]
        asked += [first for name in config.parameters for first in (name.removesuffix(AFTER), name)]
        return perturbations, [known[name] for name in dict.fromkeys(asked)]

    def goal(self, config: WorldConfig) -> Goal:
        if config.goal is None:
            raise MetarlError(f"{config.name}: a robot needs a goal: {', '.join(registry.names('goal'))}")
        goal: Goal = registry.find("goal", config.goal)
        return goal

    def goals(self) -> list[Goal]:
        """Every goal this robot can be given."""
        physics = make_physics(self.model, 1, 1, torch.device("cpu"), derived=self.derived)
        known = (registry.find("goal", name) for name in registry.names("goal"))
        return [goal for goal in known if self.lacks(goal, physics) is None]

    def lacks(self, goal: Goal, physics: Physics) -> str | None:
        """What a goal reads that this robot does not have, for an error; None where it fits."""
        if self.place(physics).shape[1] < goal.place_size:
            return "needs a robot that moves in a plane"
        if goal.needs_tilt and self.tilt(physics) is None:
            return "needs a robot that has an upright (Robot.tilt)"
        return None

    def perturbed(self) -> tuple[Parameter, ...]:
        """The parameters of all perturbations, for this robot's model."""
        return tuple(q for p in self.perturbations() for q in p.parameters(self.model))

    def perturbations(self) -> list[Perturbation]:
        return [registry.find("perturbation", name) for name in registry.names("perturbation")]

    def build(self, config: WorldConfig, num_envs: int, device: torch.device, engine: str | None) -> Simulation:
        from metarl.envs.robots.simulation import RobotSimulation

        return RobotSimulation(self, config, num_envs, device, engine)

    def unfit(self, device: str) -> str | None:
        missing = device == "cuda" and find_spec("mujoco_warp") is None
        return f"robots on cuda need MuJoCo Warp: {INSTALL}" if missing else None

    def fingerprint(self, device: str = "cpu") -> Mapping[str, str]:
        text = str(self.mjcf) if self._file is None else self._file.read_text()
        model, engine = sha256(text.encode()).hexdigest(), default_engine(device)
        return {"model_sha256": model, "mujoco": mujoco.__version__, "engine": engine}

    def _owners(self, config: WorldConfig) -> list[tuple[str, tuple[Parameter, ...]]]:
        goal = self.goal(config)
        return [
            (f"goal {goal.name!r}", goal.parameters),
            *((f"perturbation {p.name!r}", p.parameters(self.model)) for p in self.perturbations()),
        ]

    def _check_settings(self, config: WorldConfig) -> None:
        for key in config.settings:
            if key not in SETTINGS:
                raise unknown(f"setting of the robot {self.name}", key, SETTINGS)
        parts = config.settings.get("observation", self.observation)
        if isinstance(parts, str) or not parts:
            raise MetarlError(f"{config.name}: the setting observation lists parts, such as {self.observation}")
        for part in parts:
            if part not in self.observation_parts:
                raise unknown(f"observation part of {self.name}", part, self.observation_parts)
        weights = config.settings.get("weights", {})
        if not isinstance(weights, Mapping) or not all(isinstance(w, int | float) for w in weights.values()):
            raise MetarlError(f"{config.name}: the setting weights maps reward terms to numbers, got {weights!r}")
        fall_ends = config.settings.get("fall_ends", True)
        if not isinstance(fall_ends, bool):
            raise MetarlError(f"{config.name}: the setting fall_ends is True or False, got {fall_ends!r}")
        skip = config.settings.get("frame_skip", self.frame_skip)
        if not isinstance(skip, int) or isinstance(skip, bool) or skip < 1:
            raise MetarlError(f"{config.name}: the setting frame_skip is a whole number of at least 1, got {skip!r}")


def _plus_minus_1(random: CounterRNG, purpose: str, n: int) -> Tensor:
    """[B, n], uniform on [-1, 1)."""
    return 2 * random.uniform(purpose, (n,), torch.float64) - 1


def _parameters(owner: Goal | Perturbation, model: mujoco.MjModel) -> tuple[Parameter, ...]:
    return owner.parameters if isinstance(owner, Goal) else owner.parameters(model)
