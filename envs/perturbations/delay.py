"""Sensors and motors that answer late."""

from __future__ import annotations

import mujoco
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.envs.perturbations.perturbation import Channel, Perturbation, Task
from metarl.tasks.parameter import Parameter

LONGEST = 16  # steps


class ObservationDelay(Perturbation):
    """What is seen is d steps old; in the first d steps of an episode, its start. Rewards are not delayed."""

    name = "observation_delay"

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        doc = "how old the observation is"
        return (Parameter(self.name, unit="steps", low=0, high=LONGEST, integer=True, doc=doc),)

    def observation_channel(self, shape: tuple[int, int], device: torch.device) -> Channel:
        return Late(self.name, shape, device, starts_empty=False)


class ActionDelay(Perturbation):
    """An action reaches the motors d steps late; in the first d steps of an episode they rest. Costs are in time."""

    name = "action_delay"

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        doc = "how late an action reaches the motors"
        return (Parameter(self.name, unit="steps", low=0, high=LONGEST, integer=True, doc=doc),)

    def action_channel(self, shape: tuple[int, int], device: torch.device) -> Channel:
        return Late(self.name, shape, device, starts_empty=True)


class Late(Channel):
    """A ring of the last values, each in the place of its time; an episode begins at time 0, so none older is read."""

    def __init__(self, parameter: str, shape: tuple[int, int], device: torch.device, starts_empty: bool) -> None:
        self._parameter = parameter
        self._ring = torch.zeros(LONGEST + 1, *shape, dtype=torch.float64, device=device)
        self._rows = torch.arange(shape[0], device=device)
        self._starts_empty = starts_empty

    def send(self, value: Tensor, task: Task, now: CounterRNG) -> Tensor:
        self._ring[now.step % len(self._ring), self._rows] = value.double()
        sent = now.step - task[self._parameter]
        late = self._ring[sent.clamp(min=0) % len(self._ring), self._rows].to(value.dtype)
        return late * (sent >= 0)[:, None] if self._starts_empty else late


observation_delay = ObservationDelay()
action_delay = ActionDelay()
