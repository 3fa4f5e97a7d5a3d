"""Trials: K episodes in slots of H steps, all environments in step (contract 7).

An environment whose episode ends early rests until its slot is over: it is not stepped, earns nothing, and is marked
`resting`, so that it is left out of learning and of counts. When all rest, the slot is cut short.
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

LOOK = 16  # steps after which a GPU is asked whether a slot may be cut short: it is, later by so many steps at most


class Step(NamedTuple):
    """What a step led to, for B environments."""

    obs: Tensor  # float32 or uint8 [B, *observation], to act on next: a new episode's start where a slot ended
    reward: Tensor  # float32 [B], raw
    terminated: Tensor  # bool [B], the episode ended in the MDP
    truncated: Tensor  # bool [B], the episode was cut by its horizon or by diverged physics
    final_obs: (
        Tensor  # float32 or uint8 [B, *observation], what the action led to, before any restart; obs itself if none
    )
    resting: Tensor  # bool [B], this environment's episode had ended before: nothing happened
    flags: Tensor  # int64 [B], bits of metarl.core.world.FLAG_NAMES


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
        self._all_awake()
        self._looks = self.device.type == "cpu"  # values are free to look at there; a GPU is waited for

    @property
    def done(self) -> bool:
        """Whether the trial is over."""
        return self.episode >= self.episodes

    @property
    def resting(self) -> Tensor:
        """bool [B]: environments whose episode in this slot has ended."""
        return self._resting

    @property
    def active(self) -> Tensor:
        """bool [B]: the others."""
        return self.environment.everyone if self._none_rest else ~self._resting

    def begin(self, tasks: TaskSet | Mapping[str, Any], seed: int = 0, keys: Tensor | None = None) -> Tensor:
        """Start a trial: one task (a dict will do) for all, or a set of one each; the first observation.

        Environment i draws from stream (seed, keys[i]), by default keys[i] = i.
        """
        environment = self.environment
        environment.assign(self.environment.distribution.task_set(tasks))
        environment.seed(seed, keys)
        self.episode, self.time, self._begun = 0, 0, True
        self._all_awake()
        return environment.reset()

    def step(self, action: Tensor) -> Step:
        """One step of all environments that do not rest."""
        if not self._begun:
            raise MetarlError("call begin(tasks) before the first step")
        if self.done:
            raise MetarlError(f"the trial is over after {self.episodes} episodes: call begin(tasks) for the next one")
        return self.advance(self.environment.step(action, self.active))

    def advance(self, after: Transition) -> Step:
        """Count a step of the active environments; the next episode begins where this one has ended for all."""
        resting = self._resting
        ended = after.terminated | after.truncated
        if not self._looks or bool(ended.any()):
            self._resting, self._none_rest = resting | ended, False
        self.time += 1
        obs = after.obs
        if self.time == self.horizon or self._all_rest():
            self.episode, self.time = self.episode + 1, 0
            if self.done:
                self._warn()
            else:
                self._all_awake()
                obs = self.environment.reset()
        return Step(obs, after.reward, after.terminated, after.truncated, after.obs, resting, after.flags)

    def close(self) -> None:
        self.environment.close()

    def _warn(self) -> None:
        if told := self.environment.simulation.trouble():
            warnings.warn(told, stacklevel=4)  # whoever called `step`

    def _all_awake(self) -> None:
        self._resting = torch.zeros(self.num_envs, dtype=torch.bool, device=self.device)
        self._none_rest = True  # known, so that nobody need look

    def _all_rest(self) -> bool:
        if self._none_rest:
            return False
        # The one place that looks at a value of a GPU's: it waits, so it is not asked at each step.
        asked = self._looks or self.time % LOOK == 0
        return asked and bool(self._resting.all())
