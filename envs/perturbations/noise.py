"""The perturbation "observation_noise"."""

from __future__ import annotations

import mujoco
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.envs.perturbations.perturbation import Channel, Perturbation, Task
from metarl.tasks.parameter import Parameter


class ObservationNoise(Perturbation):
    """Add sigma N(0, 1) to every element of the observation at every step. Rewards do not change."""

    name = "observation_noise"

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        doc = "standard deviation of the noise on every element of the observation, in the element's unit"
        return (Parameter(self.name, low=0.0, high=1e3, doc=doc),)

    def observation_channel(self, shape: tuple[int, int], device: torch.device) -> Channel:
        return NoiseChannel()


class NoiseChannel(Channel):
    """A stateless channel that adds noise; the random numbers are counter-based."""

    def send(self, value: Tensor, task: Task, now: CounterRNG) -> Tensor:
        return value + task["observation_noise"][:, None] * now.normal(
            "observation noise", value.shape[1:], value.dtype
        )


observation_noise = ObservationNoise()
