"""Sensors that are not exact."""

from __future__ import annotations

import mujoco
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.envs.perturbations.perturbation import Channel, Perturbation, Task
from metarl.tasks.parameter import Parameter


class ObservationNoise(Perturbation):
    """Every element of the observation plus sigma N(0, 1), drawn anew at every step. Rewards are not touched."""

    name = "observation_noise"

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        doc = "standard deviation of the noise on every element of the observation, in its own unit"
        return (Parameter(self.name, low=0.0, high=1e3, doc=doc),)

    def observation_channel(self, shape: tuple[int, int], device: torch.device) -> Channel:
        return Noise()


class Noise(Channel):
    """Nothing to remember: the numbers of each time are counted."""

    def send(self, value: Tensor, task: Task, now: CounterRNG) -> Tensor:
        return value + task["observation_noise"][:, None] * now.normal(
            "observation noise", value.shape[1:], value.dtype
        )


observation_noise = ObservationNoise()
