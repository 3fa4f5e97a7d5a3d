"""The batched simulation of a robot with a goal and perturbations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from math import isnan
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import mujoco
import numpy as np
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.core.simulation import NAN_ACTION, OVERFLOW, Outcome, Simulation
from metarl.envs.goals.goal import Motion
from metarl.envs.perturbations.perturbed import Perturbed
from metarl.envs.physics import make_physics
from metarl.envs.robots.drawing import draw, make_renderer
from metarl.errors import MetarlError, unknown
from metarl.tasks.parameter import Parameter

if TYPE_CHECKING:
    from metarl.tasks.world_config import WorldConfig


class RobotSimulation(Simulation):
    """B copies of a robot on one device, each with its own task."""

    def __init__(
        self, robot: Any, config: WorldConfig, num_envs: int, device: torch.device, engine: str | None
    ) -> None:
        """Construct; `robot` is a `metarl.envs.robots.robot.Robot`, whose module imports this one."""
        self.robot = robot
        self.goal = robot.goal(config)
        self.num_envs = num_envs
        self.device = device
        perturbations, known = robot.configured(config)  # also checks the settings
        settings = config.settings
        parts = settings.get("observation", robot.observation)
        self._weights = {**robot.weights, **settings.get("weights", {})}
        self._terms = {name: term for name, term in robot.reward_terms.items() if self._weights.get(name)}
        fields = [*robot.derived, *(field for name in (*parts, *self._terms) for field in robot.reads.get(name, ()))]
        skip = settings.get("frame_skip", robot.frame_skip)
        derived = tuple(dict.fromkeys(fields))
        model = robot.model_for(perturbations)
        self.physics = make_physics(model, num_envs, skip, device, engine, derived, robot.buffer_sizes)
        if unmet := robot.unmet_requirement(self.goal, self.physics):
            raise MetarlError(f"{config.name}: the goal {self.goal.name!r} {unmet}")
        self._parts = [robot.observation_parts[part] for part in parts]
        self.may_terminate = bool(settings.get("fall_ends", True)) and robot.fallen(self.physics) is not None
        self.action_space = gym.spaces.Box(-1.0, 1.0, (model.nu,), np.float32)
        self._ctrl_range = self._middle_and_half(model)
        size = self._exact_observation().shape[1]
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (size,), np.float32)
        # Parameters that do not vary keep their neutral value.
        neutral = {parameter.name: self._neutral(parameter) for parameter in known}
        self._perturbed = Perturbed(self.physics, perturbations, self.goal, neutral, size)
        self._sensed = torch.zeros(num_envs, size, device=device)  # the observation after noise and delay
        self.reward_terms = {}
        self._none_terminated = torch.zeros(num_envs, dtype=torch.bool, device=device)
        self.render_fps = round(1 / self.physics.dt)
        self._renderer: mujoco.Renderer | None = None
        self._weight_column = self._weights_of_terms(config.name)

    def assign(self, task: Mapping[str, Tensor], mask: Tensor) -> None:
        self._perturbed.assign(task, mask)

    def reset(self, mask: Tensor, random: CounterRNG) -> None:
        self._perturbed.begin(mask)
        self.physics.reset(mask, *self.robot.start(self.physics, random))
        self._sense(random)

    def step(self, action: Tensor, active: Tensor, random: CounterRNG) -> Outcome:
        all_active, nan = self._inspect(action, active)
        if nan is not None:
            action = action.nan_to_num(nan=0.0)
        action = action.clamp(-1.0, 1.0).to(self.physics.dtype)
        if self._perturbed.switches:
            self._perturbed.advance(active, random)
        applied = self._perturbed.act(action, random) if self._perturbed.acts else action
        ctrl = applied if self._ctrl_range is None else self._ctrl_range[0] + self._ctrl_range[1] * applied
        self.physics.ctrl.copy_(ctrl)
        before = self.robot.place(self.physics).clone()
        diverged = self.physics.step(active)
        place = self.robot.place(self.physics)
        motion = Motion(place, (place - before) / self.physics.dt, action, self._tilt())
        terms = self.goal.terms(motion, self._perturbed.goal_task)
        terms |= {name: term(self.physics, action) for name, term in self._terms.items()}
        unrewarded = None if all_active else ~active
        if diverged is not None:  # these were reset, so that their motion is meaningless
            unrewarded = diverged if unrewarded is None else unrewarded | diverged
        self.reward_terms = self._weighted(terms, unrewarded)
        reward = reduce(torch.add, self.reward_terms.values())  # in a fixed order, so that the sum is reproducible
        fallen = self.robot.fallen(self.physics) if self.may_terminate else None
        terminated = self._none_terminated if fallen is None else fallen & active
        if self._perturbed.senses:
            self._sense(CounterRNG(random.streams, random.episode, random.step + active))
        return Outcome(reward, terminated, self._flags(nan, active), diverged)

    def _inspect(self, action: Tensor, active: Tensor) -> tuple[bool, Tensor | None]:
        """Return whether all environments are known to be active, and which active ones have a NaN action.

        The second value is bool [B], or None if it is known that no action is NaN. A GPU is not synchronised: its
        values count as unknown.
        """
        if self.physics.host_readable and not self.graphed:
            all_active = bool(active.all())
            # One reduction suffices without NaN. Infinities of both signs also sum to NaN; then rows are inspected.
            if not isnan(float(action.sum())):
                return all_active, None
        else:
            all_active = False
        return all_active, action.isnan().any(1) & active

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        return self.physics.capture(work)

    def overflow_warning(self) -> str | None:
        warning = self.physics.overflow_warning() if self.physics.may_overflow else None
        return None if warning is None else f"{self.robot.name}: {warning}"

    def _flags(self, nan: Tensor | None, active: Tensor) -> Tensor:
        """Return the flags of a step, int64 [B]."""
        flags = torch.zeros_like(active, dtype=torch.int64) if nan is None else torch.where(nan, NAN_ACTION, 0)
        return flags + (self.physics.overflowed() & active) * OVERFLOW if self.physics.may_overflow else flags

    def _weighted(self, terms: Mapping[str, Tensor], unrewarded: Tensor | None) -> dict[str, Tensor]:
        """Return terms times their weights, float32 [B] each, and 0 (even for NaN) where `unrewarded` is set."""
        weighted = (torch.stack(list(terms.values())) * self._weight_column).float()
        if unrewarded is not None:
            weighted = weighted.masked_fill_(unrewarded, 0.0)
        return dict(zip(terms, weighted.unbind(), strict=True))

    def _tilt(self) -> Tensor | None:
        return self.robot.tilt(self.physics) if self.goal.needs_tilt else None

    def observe(self) -> Tensor:
        return self._sensed.clone() if self._perturbed.senses else self._exact_observation().float()

    def _exact_observation(self) -> Tensor:
        return torch.cat([part(self.physics) for part in self._parts], 1)

    def _sense(self, now: CounterRNG) -> None:
        """Apply noise and delay to the current observation."""
        if self._perturbed.senses:
            self._sensed = self._perturbed.sense(self._exact_observation(), now).float()

    def render(self, index: int, width: int, height: int) -> np.ndarray:
        model, data = self.physics.single(index)
        renderer = self._renderer
        if renderer is None or (renderer.width, renderer.height) != (width, height):
            self.close()
            renderer = self._renderer = make_renderer(self.robot.model, width, height)
        return draw(renderer, model, data, self._mark(index))

    def _mark(self, index: int) -> np.ndarray | None:
        """Return the goal's position [3], m; None for a goal that is no position."""
        if self.goal.marked is None:
            return None
        place = self._perturbed.task[self.goal.marked][index].cpu().numpy()
        return np.concatenate([place, np.zeros(3 - len(place))])

    def close(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _neutral(self, parameter: Parameter) -> Tensor:
        value = torch.tensor(np.asarray(parameter.neutral), device=self.device)
        return value.expand(self.num_envs, *parameter.shape)

    def _middle_and_half(self, model: mujoco.MjModel) -> tuple[Tensor, Tensor] | None:
        """Return the middle and half width of the actuators' ranges; None if actions equal controls."""
        low, high = model.actuator_ctrlrange.T
        if (low == -1).all() and (high == 1).all():
            return None
        middle, half = (low + high) / 2, (high - low) / 2
        return torch.tensor(middle, device=self.device), torch.tensor(half, device=self.device)

    def _weights_of_terms(self, name: str) -> Tensor:
        """Return the weights [terms, 1] in the order in which a step computes the terms.

        Raises MetarlError for a weight of an unknown term.
        """
        place, still = self.robot.place(self.physics), torch.zeros_like(self.physics.ctrl)
        motion = Motion(place, torch.zeros_like(place), still, self._tilt())
        of_goal = list(self.goal.terms(motion, self._perturbed.goal_task))
        for term in self._weights:
            if term not in (*of_goal, *self.robot.reward_terms):
                raise unknown(f"reward term of {name}", term, [*of_goal, *self.robot.reward_terms])
        weights = [[self._weights.get(term, 1.0)] for term in dict.fromkeys([*of_goal, *self._terms])]
        return torch.tensor(weights, dtype=self.physics.dtype, device=self.device)
