"""The perturbation "motor_permutation": motors connected to other actions, some with the opposite sign."""

from __future__ import annotations

import mujoco
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.envs.perturbations.perturbation import Channel, Perturbation, Task
from metarl.tasks.parameter import Parameter


class MotorPermutation(Perturbation):
    """Drive motor i by action |p_i|, counted from 1, with the sign of p_i; if p_i is 0, the motor is off.

    The sampler is `metarl.Permutation(n, signed=True)`.
    """

    name = "motor_permutation"

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        n = model.nu
        doc = "action that drives each motor, from 1; negative: with the opposite sign"
        return (Parameter(self.name, (n,), low=-n, high=n, neutral=range(1, n + 1), integer=True, doc=doc),)

    def action_channel(self, shape: tuple[int, int], device: torch.device) -> Channel:
        return PermutationChannel()


class PermutationChannel(Channel):
    """A stateless channel that permutes and negates actions."""

    def send(self, value: Tensor, task: Task, now: CounterRNG) -> Tensor:
        permutation = task["motor_permutation"]
        return value.gather(1, (permutation.abs() - 1).clamp(min=0)) * permutation.sign()


motor_permutation = MotorPermutation()
