"""Motors wired to other actions, some the wrong way round."""

from __future__ import annotations

import mujoco
import torch
from torch import Tensor

from metarl.core.rng import CounterRNG
from metarl.envs.perturbations.perturbation import Channel, Perturbation, Task
from metarl.tasks.parameter import Parameter


class MotorPermutation(Perturbation):
    """Motor i follows action |p_i| (counted from 1) with the sign of p_i; where p_i is 0 it is dead.

    Drawn by `metarl.Permutation(n, signed=True)`.
    """

    name = "motor_permutation"

    def parameters(self, model: mujoco.MjModel) -> tuple[Parameter, ...]:
        n = model.nu
        doc = "which action each motor follows, counted from 1; negative: the wrong way round"
        return (Parameter(self.name, (n,), low=-n, high=n, neutral=range(1, n + 1), integer=True, doc=doc),)

    def action_channel(self, shape: tuple[int, int], device: torch.device) -> Channel:
        return Wiring()


class Wiring(Channel):
    """Nothing to remember."""

    def send(self, value: Tensor, task: Task, now: CounterRNG) -> Tensor:
        wires = task["motor_permutation"]
        return value.gather(1, (wires.abs() - 1).clamp(min=0)) * wires.sign()


motor_permutation = MotorPermutation()
