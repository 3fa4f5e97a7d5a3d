"""Perturbations applied to a batch of simulations: model fields, actions, observations, and switches in time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.envs.goals.goal import Goal
from metarl.envs.perturbations.changes import ModelChanges
from metarl.envs.perturbations.elements import with_elements
from metarl.envs.perturbations.perturbation import Channel, Perturbation, Task, expand_dims_like
from metarl.envs.perturbations.switch import AFTER, TIME, after_switch
from metarl.envs.physics import Physics


class Perturbed:
    """The perturbations of B environments.

    `task` holds the current value of every parameter, [B, *shape]; `goal_task` is the result of `Goal.prepared`.
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
        self._assigned: dict[str, Tensor] = dict(neutral)
        self._switches = sorted(name.removesuffix(AFTER) for name in neutral if name.endswith(AFTER))
        self._switched = torch.zeros(shape[0], dtype=torch.bool, device=device)

    @property
    def senses(self) -> bool:
        """Whether there are channels of observations."""
        return bool(self._observations)

    def assign(self, task: Task, mask: Tensor) -> None:
        """Assign tasks to the masked environments, with their first values."""
        self._assigned = {**self._assigned, **task}
        self._first = self._changes.values(with_elements(self._assigned, self._labels))
        if self._switches:
            self._second = self._changes.values(with_elements(after_switch(self._assigned), self._labels))
        self._changes.write(self._first, mask)
        self._update_task(self._switched & ~mask)

    def begin(self, mask: Tensor) -> None:
        """Begin an episode of the masked environments, with the first values of their tasks."""
        if self._switches:
            self._changes.write(self._first, mask & self._switched)
            self._update_task(self._switched & ~mask)

    def advance(self, active: Tensor, now: CounterRNG) -> None:
        """Switch the active environments that have reached their switch time to their second values."""
        if self._switches:
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

    def _update_task(self, switched: Tensor) -> None:
        self._switched = switched
        current = {}
        for name in self._switches:
            first, second = self._assigned[name], self._assigned[name + AFTER]
            current[name] = torch.where(expand_dims_like(switched, first), second, first)
        self.task = {**self._assigned, **current}
        self.goal_task = self.goal.prepared(self.task)


def _channels(optional: Iterable[Channel | None]) -> list[Channel]:
    return [channel for channel in optional if channel is not None]
