"""The tasks of one simulation at work: what they make of the model, of actions and observations, and when."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.envs.goals.goal import Goal
from metarl.envs.perturbations.changes import ModelChanges
from metarl.envs.perturbations.elements import gathered
from metarl.envs.perturbations.perturbation import Channel, Perturbation, Task, wide
from metarl.envs.perturbations.switch import AFTER, TIME, second
from metarl.envs.physics import Physics


class Perturbed:
    """Perturbations of B environments.

    `task` holds what holds now: [B, *shape] for every parameter; `goal_task` the same as the goal prepared it.
    """

    def __init__(
        self, physics: Physics, perturbations: Sequence[Perturbation], goal: Goal, neutral: Task, observation_size: int
    ) -> None:
        """neutral: a value [B, *shape] for every parameter that may be asked for."""
        self.goal = goal
        self.task, self.goal_task = neutral, goal.prepared(neutral)
        shape, device = physics.ctrl.shape, physics.device
        in_order = sorted(perturbations, key=lambda p: p.order)
        self._changes = ModelChanges(physics, in_order)
        self._labels = {name: labels for p in in_order for name, labels in p.labels(physics.model).items()}
        self._actions = _channels(p.action_channel((shape[0], shape[1]), device) for p in in_order)
        self._observations = _channels(p.observation_channel((shape[0], observation_size), device) for p in in_order)
        self._given: dict[str, Tensor] = dict(neutral)
        self._switches = sorted(name.removesuffix(AFTER) for name in neutral if name.endswith(AFTER))
        self._switched = torch.zeros(shape[0], dtype=torch.bool, device=device)

    @property
    def senses(self) -> bool:
        """Whether observations pass through anything."""
        return bool(self._observations)

    def assign(self, task: Task, mask: Tensor) -> None:
        """The masked environments have these tasks, from their beginning."""
        self._given = {**self._given, **task}
        self._first = self._changes.values(gathered(self._given, self._labels))
        if self._switches:
            self._second = self._changes.values(gathered(second(self._given), self._labels))
        self._changes.write(self._first, mask)
        self._hold(self._switched & ~mask)

    def begin(self, mask: Tensor) -> None:
        """The masked environments begin an episode: with the task's first values."""
        if self._switches:
            self._changes.write(self._first, mask & self._switched)
            self._hold(self._switched & ~mask)

    def advance(self, active: Tensor, now: CounterRNG) -> None:
        """Switch the active environments whose time has come."""
        if self._switches:
            switched = self._switched | active & (now.step >= self._given[TIME])
            self._changes.write(self._second, switched & ~self._switched)
            self._hold(switched)

    def act(self, action: Tensor, now: CounterRNG) -> Tensor:
        """What reaches the motors, [B, nu] in [-1, 1]."""
        for channel in self._actions:
            action = channel.send(action, self.task, now)
        return action

    def sense(self, observation: Tensor, now: CounterRNG) -> Tensor:
        """What is seen, [B, n]."""
        for channel in self._observations:
            observation = channel.send(observation, self.task, now)
        return observation

    def _hold(self, switched: Tensor) -> None:
        self._switched = switched
        now = {}
        for name in self._switches:
            first, later = self._given[name], self._given[name + AFTER]
            now[name] = torch.where(wide(switched, first), later, first)
        self.task = {**self._given, **now}
        self.goal_task = self.goal.prepared(self.task)


def _channels(made) -> list[Channel]:
    return [channel for channel in made if channel is not None]
