"""Trials: K episodes in slots of H steps, in all environments at the same time (contract 7).

An environment whose episode ends early rests until its slot is over: it is not stepped, has reward 0, and is marked
`resting`, so that learning and counts leave it out. When all environments rest, the slot is cut short.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import gymnasium as gym
import torch
from torch import Tensor

from metarl.core.environment import Environment, Transition
from metarl.errors import MetarlError
from metarl.tasks.task_set import TaskSet

CHECK_EVERY = 16  # steps between checks, on a GPU, of whether all environments rest; a check waits for the GPU


class Step(NamedTuple):
    """The results of a step of B environments."""

    obs: Tensor  # float32 or uint8 [B, *observation], the next input; a new episode's start where a slot has ended
    reward: Tensor  # float32 [B], raw
    terminated: Tensor  # bool [B], the episode ended in the MDP
    truncated: Tensor  # bool [B], the episode was cut by its horizon or by diverged physics
    final_obs: Tensor
    """float32 or uint8 [B, *observation], the result of the action before any reset; obs itself where there is none"""
    resting: Tensor  # bool [B], the environment's episode had ended before: no step was taken
    flags: Tensor  # int64 [B], bits of metarl.core.simulation.FLAG_NAMES


class Trials:
    """A tensor environment: `begin` with tasks, then `step` until `done`."""

    def __init__(self, environment: Environment, episodes: int) -> None:
        if not isinstance(episodes, int) or episodes < 1:
            raise MetarlError(f"a trial has at least 1 episode, got {episodes!r}")
        self.environment = environment
        self.episodes = episodes  # K
        self.num_envs = environment.num_envs
        self.device = environment.device
        self.horizon = environment.horizon  # H
        self.observation_space: gym.spaces.Box = environment.observation_space  # of one environment
        self.action_space: gym.spaces.Box | gym.spaces.Discrete = environment.action_space
        self.episode = 0  # the slot all environments are in, 0 to K-1; K when the trial is over
        self.time = 0  # steps into the slot
        self._begun = False
        self._wake_all()
        self._on_cpu = self.device.type == "cpu"  # there, reading a value of a tensor does not wait for a device

    @property
    def done(self) -> bool:
        """True if the trial is over."""
        return self.episode >= self.episodes

    @property
    def resting(self) -> Tensor:
        """bool [B]: environments whose episode in this slot has ended."""
        return self._resting

    @property
    def active(self) -> Tensor:
        """bool [B]: environments whose episode is running."""
        return self.environment.all_envs if self._none_rest else ~self._resting

    def begin(self, tasks: TaskSet | Mapping[str, Any], seed: int = 0, keys: Tensor | None = None) -> Tensor:
        """Start a trial with one task for all environments (a dict is enough) or a set of one each; returns obs.

        Environment i draws its random numbers from stream (seed, keys[i]); by default keys[i] = i.
        """
        environment = self.environment
        environment.assign(self.environment.distribution.task_set(tasks))
        environment.seed(seed, keys)
        self.episode, self.time, self._begun = 0, 0, True
        self._wake_all()
        return environment.reset()

    def step(self, action: Tensor) -> Step:
        """Take one step in all environments that do not rest."""
        if not self._begun:
            raise MetarlError("call begin(tasks) before the first step")
        if self.done:
            raise MetarlError(f"the trial is over after {self.episodes} episodes: call begin(tasks) for the next one")
        return self.advance(self.environment.step(action, self.active))

    def advance(self, after: Transition) -> Step:
        """Count a step of the active environments; the next episode begins where this one has ended for all."""
        resting = self._resting
        ended = after.terminated | after.truncated
        if not self._on_cpu or bool(ended.any()):
            self._resting, self._none_rest = resting | ended, False
        self.time += 1
        obs = after.obs
        if self.time == self.horizon or self._all_rest():
            self.episode, self.time = self.episode + 1, 0
            if self.done:
                self._warn()
            else:
                self._wake_all()
                obs = self.environment.reset()
        return Step(obs, after.reward, after.terminated, after.truncated, after.obs, resting, after.flags)

    def close(self) -> None:
        self.environment.close()

    def _warn(self) -> None:
        if problem := self.environment.simulation.overflow_warning():
            warnings.warn(problem, stacklevel=4)  # at the call of `step`

    def _wake_all(self) -> None:
        self._resting = torch.zeros(self.num_envs, dtype=torch.bool, device=self.device)
        self._none_rest = True  # known without reading the mask

    def _all_rest(self) -> bool:
        if self._none_rest:
            return False
        # The one place that reads a value from a GPU. It waits, so it is not done at each step.
        check = self._on_cpu or self.time % CHECK_EVERY == 0
        return check and bool(self._resting.all())
