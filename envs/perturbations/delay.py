"""The perturbations "observation_delay" and "action_delay"."""

from __future__ import annotations

import mujoco
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.envs.perturbations.perturbation import Channel, Perturbation, Task
from metarl.tasks.parameter import Parameter

MAX_DELAY = 16  # steps


class ObservationDelay(Perturbation):
    """Delay observations by d steps; the first d steps repeat the start observation. Rewards are not delayed."""

    name = "observation_delay"

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        doc = "delay of the observation"
        return (Parameter(self.name, unit="steps", low=0, high=MAX_DELAY, integer=True, doc=doc),)

    def observation_channel(self, shape: tuple[int, int], device: torch.device) -> Channel:
        return DelayLine(self.name, shape, device, starts_at_zero=False)


class ActionDelay(Perturbation):
    """Delay actions by d steps; in the first d steps, the applied action is 0. Action costs are not delayed."""

    name = "action_delay"

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        doc = "delay of the action"
        return (Parameter(self.name, unit="steps", low=0, high=MAX_DELAY, integer=True, doc=doc),)

    def action_channel(self, shape: tuple[int, int], device: torch.device) -> Channel:
        return DelayLine(self.name, shape, device, starts_at_zero=True)


class DelayLine(Channel):
    """A ring buffer of the latest values, indexed by time.

    An episode begins at time 0, so values of an earlier episode are never read.
    """

    def __init__(self, parameter: str, shape: tuple[int, int], device: torch.device, starts_at_zero: bool) -> None:
        self._parameter = parameter
        self._ring = torch.zeros(MAX_DELAY + 1, *shape, dtype=torch.float64, device=device)
        self._rows = torch.arange(shape[0], device=device)
        self._starts_at_zero = starts_at_zero

    def send(self, value: Tensor, task: Task, now: CounterRNG) -> Tensor:
        self._ring[now.step % len(self._ring), self._rows] = value.double()
        source_step = now.step - task[self._parameter]
        delayed = self._ring[source_step.clamp(min=0) % len(self._ring), self._rows].to(value.dtype)
        return delayed * (source_step >= 0)[:, None] if self._starts_at_zero else delayed


observation_delay = ObservationDelay()
action_delay = ActionDelay()
