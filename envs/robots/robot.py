"""The base class of robots: a MuJoCo model with named observation parts, named reward terms and a start state."""

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
from metarl.envs.perturbations.elements import element_parameters, split_element
from metarl.envs.perturbations.perturbation import Perturbation
from metarl.envs.perturbations.switch import AFTER, after_parameters
from metarl.envs.physics import DEFAULT_SIZES, INSTALL, BufferSizes, Physics, default_engine, make_physics
from metarl.envs.robots.floor_contacts import CONTACT_FIELDS, compile_with_floor_pairs
from metarl.envs.robots.simulation import RobotSimulation
from metarl.errors import MetarlError, unknown
from metarl.tasks.parameter import Parameter

if TYPE_CHECKING:
    from metarl.tasks.world_config import WorldConfig

SETTINGS = ("observation", "weights", "fall_ends", "frame_skip")


# Reward terms: functions of the physics after an env step and of the clipped action, float [B]; costs are negative.


def action_cost(physics: Physics, action: Tensor) -> Tensor:
    """Return −Σ a² for actions in [-1, 1]."""
    return -action.square().sum(1)


def contact_cost(physics: Physics, action: Tensor) -> Tensor:
    """Return −Σ clip(f, −1, 1)² over the contact forces and torques on all bodies (`cfrc_ext`), N and N m."""
    return -physics.data("cfrc_ext").clamp(-1, 1).square().sum((1, 2))


def alive(physics: Physics, action: Tensor) -> Tensor:
    """Return 1 for every step, including the step of a fall."""
    return action.new_ones(len(action))


class Robot(World):
    """A MuJoCo robot as a world. Subclass it, or register an instance; see `half_cheetah.py` for a short example.

    Settings of a distribution: `observation` (names of parts, in order), `weights` (reward term -> weight), `fall_ends`
    (whether a fall ends the episode), `frame_skip` (physics steps per env step).
    """

    name: str
    mjcf: Path | str  # a file, or the XML itself
    frame_skip: int
    observation_parts: Mapping[str, Callable[[Physics], Tensor]]  # name -> function that returns [B, n]
    observation: tuple[str, ...]  # the parts observed by default
    # name -> function of the physics after a step and the action in [-1, 1] that returns a reward [B]
    reward_terms: Mapping[str, Callable[[Physics, Tensor], Tensor]] = {"control": action_cost, "alive": alive}
    weights: Mapping[str, float] = {}  # of reward terms; by default 1 for a goal's terms and 0 for the robot's
    derived: tuple[str, ...] = ()  # MjData fields that are always read, besides qpos, qvel and ctrl
    reads: Mapping[str, tuple[str, ...]] = {}  # MjData fields read by an observation part or reward term, if in use
    buffer_sizes: BufferSizes = DEFAULT_SIZES  # on a GPU: smaller is faster; an overflow is dropped and flagged
    qpos_noise: float = 0.0  # start positions are the model's plus U(-noise, noise)
    qvel_noise: float = 0.0  # start velocities are noise * N(0, 1), or U(-noise, noise)
    qvel_sampler: Literal["normal", "uniform"] = "normal"

    def place(self, physics: Physics) -> Tensor:
        """Return the position [B, d] that goals of velocity, direction and place refer to, m."""
        return physics.qpos[:, :1]

    def tilt(self, physics: Physics) -> Tensor | None:
        """Return the angle from upright and its rate, [B, 2], rad and rad/s; None for a robot without an upright."""
        return None

    def fallen(self, physics: Physics) -> Tensor | None:
        """Return which robots have fallen, bool [B]; None for a robot that cannot fall."""
        return None

    def start(self, physics: Physics, random: CounterRNG) -> tuple[Tensor, Tensor]:
        """Draw start states: qpos [B, nq] and qvel [B, nv]."""
        nq, nv = physics.qpos.shape[1], physics.qvel.shape[1]
        qpos = physics.qpos0 + self.qpos_noise * _plus_minus_1(random, "start position", nq)
        for i in self._quaternions:
            qpos[:, i : i + 4] /= vector_norm(qpos[:, i : i + 4], dim=1, keepdim=True)
        if self.qvel_sampler == "uniform":
            return qpos, self.qvel_noise * _plus_minus_1(random, "start velocity", nv)
        return qpos, self.qvel_noise * random.normal("start velocity", (nv,), torch.float64)

    # World ------------------------------------------------------------------------------------------------------

    @cached_property
    def model(self) -> mujoco.MjModel:
        """The compiled model, with explicit contact pairs where these are equivalent (see floor_contacts.py)."""
        return self._compile(compile_with_floor_pairs)

    @cached_property
    def _model_without_pairs(self) -> mujoco.MjModel:
        """The model as MuJoCo compiles the MJCF."""
        return self._compile(mujoco.MjSpec.compile)

    def model_for(self, perturbations: Sequence[Perturbation]) -> mujoco.MjModel:
        """Return the model to simulate under these perturbations.

        Explicit pairs copy contact parameters when the model is compiled. The model has none if a perturbation changes
        these parameters of geoms and not of pairs.
        """
        changed = [set(p.fields) for p in perturbations]
        stale = any(fields & CONTACT_FIELDS and "pair_friction" not in fields for fields in changed)
        return self._model_without_pairs if stale else self.model

    def _compile(self, compiler: Callable[[mujoco.MjSpec], mujoco.MjModel]) -> mujoco.MjModel:
        try:
            return compiler(self.spec())
        except ValueError as error:
            raise MetarlError(f"the MJCF of the robot {self.name!r} does not compile: {error}".strip()) from error

    def spec(self) -> mujoco.MjSpec:
        """Parse the MJCF. Raises MuJoCo's ValueError if it is invalid."""
        if self._file is None:
            return mujoco.MjSpec.from_string(str(self.mjcf))
        return mujoco.MjSpec.from_file(str(self._file))

    @cached_property
    def _file(self) -> Path | None:
        """The MJCF file; None if the MJCF is given as XML. Raises MetarlError if there is no such file."""
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
        """The first qpos index of each orientation of a free or ball joint."""
        joints = zip(self.model.jnt_type, self.model.jnt_qposadr, strict=True)
        offset = {int(mujoco.mjtJoint.mjJNT_FREE): 3, int(mujoco.mjtJoint.mjJNT_BALL): 0}
        return [int(address) + offset[int(joint)] for joint, address in joints if int(joint) in offset]

    def parameters(self, config: WorldConfig) -> tuple[Parameter, ...]:
        self._check_settings(config)
        owners: dict[str, str] = {}
        known: list[Parameter] = []
        for owner, parameters in self._owners(config):
            for parameter in parameters:
                if parameter.name in owners:
                    raise MetarlError(
                        f"the {owner} and the {owners[parameter.name]} both claim the parameter {parameter.name!r}: "
                        "rename one of them"
                    )
                owners[parameter.name] = owner
                known.append(parameter)
        varied = config.parameters
        labels = {name: names for p in self.perturbations() for name, names in p.labels(self.model).items()}
        known += element_parameters({p.name: p for p in known}, labels, varied)
        return (*known, *after_parameters({p.name: p for p in known}, varied))

    def configured(self, config: WorldConfig) -> tuple[list[Perturbation], list[Parameter]]:
        """Return the perturbations that vary, and all parameters that the goal and these perturbations read."""
        vectors = {split_element(name)[0] for name in config.parameters}
        known = {parameter.name: parameter for parameter in self.parameters(config)}
        perturbations = [p for p in self.perturbations() if vectors & {q.name for q in p.parameters(self.model)}]
        read = [q.name for owner in (self.goal(config), *perturbations) for q in _parameters(owner, self.model)]
        read += [first for name in config.parameters for first in (name.removesuffix(AFTER), name)]
        return perturbations, [known[name] for name in dict.fromkeys(read)]

    def goal(self, config: WorldConfig) -> Goal:
        """Return the goal of a distribution. Raises MetarlError if it has none, or one that is not registered."""
        if config.goal is None:
            raise MetarlError(f"{config.name}: a robot needs a goal: {', '.join(registry.names('goal'))}")
        goal: Goal = registry.find("goal", config.goal)
        return goal

    def goals(self) -> list[Goal]:
        """Return all registered goals that this robot supports."""
        physics = make_physics(self.model, 1, 1, torch.device("cpu"), derived=self.derived)
        known = (registry.find("goal", name) for name in registry.names("goal"))
        return [goal for goal in known if self.unmet_requirement(goal, physics) is None]

    def unmet_requirement(self, goal: Goal, physics: Physics) -> str | None:
        """Return a requirement of a goal that this robot does not meet, for an error message; None if it fits."""
        if self.place(physics).shape[1] < goal.place_size:
            return "needs a robot that moves in a plane"
        if goal.needs_tilt and self.tilt(physics) is None:
            return "needs a robot that has an upright (Robot.tilt)"
        return None

    def perturbed(self) -> tuple[Parameter, ...]:
        """Return the parameters of all perturbations for this robot's model."""
        return tuple(q for p in self.perturbations() for q in p.parameters(self.model))

    def perturbations(self) -> list[Perturbation]:
        """Return all registered perturbations."""
        return [registry.find("perturbation", name) for name in registry.names("perturbation")]

    def build(self, config: WorldConfig, num_envs: int, device: torch.device, engine: str | None) -> Simulation:
        return RobotSimulation(self, config, num_envs, device, engine)

    def why_unfit(self, device: str) -> str | None:
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
    """Draw float64 [B, n] from the uniform distribution on [-1, 1)."""
    return 2 * random.uniform(purpose, (n,), torch.float64) - 1


def _parameters(owner: Goal | Perturbation, model: mujoco.MjModel) -> tuple[Parameter, ...]:
    return owner.parameters if isinstance(owner, Goal) else owner.parameters(model)
