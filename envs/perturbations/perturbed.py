"""Perturbations applied to a batch of simulations: model fields, actions, observations, and switches in time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.envs.goals.goal import Goal
from metarl.envs.perturbations.elements import split_element, with_elements
from metarl.envs.perturbations.perturbation import Channel, Fields, Perturbation, Task, expand_dims_like
from metarl.envs.perturbations.switch import AFTER, TIME, after_switch
from metarl.envs.physics import Physics


class Perturbed:
    """The perturbations of B environments.

    `task` holds the current value of every parameter, [B, *shape]; `goal_task` is the result of `Goal.prepared`.
    `acts`, `senses` and `switches`: whether there are channels of actions, channels of observations, and second values.
    """

    def __init__(
        self, physics: Physics, perturbations: Sequence[Perturbation], goal: Goal, neutral: Task, observation_size: int
    ) -> None:
        """Construct; `neutral` holds a value [B, *shape] of every parameter that goal and perturbations read."""
        self.goal = goal
        self.task, self.goal_task = neutral, goal.prepared(neutral)
        shape, device = physics.ctrl.shape, physics.device
        in_order = sorted(perturbations, key=lambda p: p.order)
        self._changes = ModelChanges(physics, in_order)
        self._labels = {name: labels for p in in_order for name, labels in p.labels(physics.model).items()}
        self._actions = _channels(p.action_channel((shape[0], shape[1]), device) for p in in_order)
        self._observations = _channels(p.observation_channel((shape[0], observation_size), device) for p in in_order)
        self.acts, self.senses = bool(self._actions), bool(self._observations)
        self._assigned: dict[str, Tensor] = dict(neutral)
        self._has_elements = any(split_element(name)[1] is not None for name in neutral)
        self._switches = sorted(name.removesuffix(AFTER) for name in neutral if name.endswith(AFTER))
        self.switches = bool(self._switches)
        self._switched = torch.zeros(shape[0], dtype=torch.bool, device=device)

    def assign(self, task: Task, mask: Tensor) -> None:
        """Assign tasks to the masked environments, with their first values."""
        self._assigned = {**self._assigned, **task}
        self._first = self._changes.values(self._with_elements(self._assigned))
        if self._switches:
            self._second = self._changes.values(self._with_elements(after_switch(self._assigned)))
        self._changes.write(self._first, mask)
        self._update_task(self._switched & ~mask)

    def begin(self, mask: Tensor) -> None:
        """Begin an episode of the masked environments, with the first values of their tasks."""
        if self._switches:
            self._changes.write(self._first, mask & self._switched)
            self._update_task(self._switched & ~mask)

    def advance(self, active: Tensor, now: CounterRNG) -> None:
        """Switch the active environments that have reached their switch time to their second values."""
        switched = self._switched | active & (now.step >= self._assigned[TIME])
        self._changes.write(self._second, switched & ~self._switched)
        self._update_task(switched)

    def act(self, action: Tensor, now: CounterRNG) -> Tensor:
        """Return the action [B, nu] in [-1, 1] that is applied to the motors."""
        for channel in self._actions:
            action = channel.send(action, self.task, now)
        return action

    def sense(self, observation: Tensor, now: CounterRNG) -> Tensor:
        """Return the observation [B, n] that the agent receives."""
        for channel in self._observations:
            observation = channel.send(observation, self.task, now)
        return observation

    def _with_elements(self, task: Task) -> Task:
        return with_elements(task, self._labels) if self._has_elements else task

    def _update_task(self, switched: Tensor) -> None:
        self._switched = switched
        current = {}
        for name in self._switches:
            first, second = self._assigned[name], self._assigned[name + AFTER]
            current[name] = torch.where(expand_dims_like(switched, first), second, first)
        self.task = {**self._assigned, **current}
        self.goal_task = self.goal.prepared(self.task)


class ModelChanges:
    """Model fields as functions of the tasks, computed from the compiled values.

    Scaling the current values instead would compound from task to task.
    """

    def __init__(self, physics: Physics, perturbations: Sequence[Perturbation]) -> None:
        self.physics = physics
        self.perturbations = sorted(perturbations, key=lambda p: p.order)
        names = sorted({name for p in perturbations for name in p.fields})
        self._defaults: Fields = {
            name: (value := physics.default(name).double()).expand(physics.num_envs, *value.shape) for name in names
        }
        for name in names:
            physics.field(name)  # allocates the field, which must precede the capture of a step
        self._needs_refresh = any(p.derived_constants for p in perturbations)

    def values(self, task: Task) -> Fields:
        """Return the fields under these tasks, [B, ...] each."""
        fields = dict(self._defaults)
        for perturbation in self.perturbations:
            perturbation.change(self.physics.model, fields, task)
        return fields

    def write(self, values: Fields, mask: Tensor) -> None:
        """Write values to the masked simulations."""
        for name, value in values.items():
            field = self.physics.field(name)
            field.copy_(torch.where(expand_dims_like(mask, value), value, field))
        if self._needs_refresh:
            self.physics.refresh(mask)


def _channels(optional: Iterable[Channel | None]) -> list[Channel]:
    return [channel for channel in optional if channel is not None]
