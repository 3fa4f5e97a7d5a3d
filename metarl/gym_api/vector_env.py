"""The vector Gymnasium environment, `gym.make_vec("metarl/<Name>-v<version>", num_envs)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from metarl.core.rng import check_seed
from metarl.errors import MetarlError, unknown
from metarl.gym_api.env_core import CoreStep, EnvCore, Tasks, check_options, check_render_mode, checked_action
from metarl.tasks.task_distribution import TaskDistribution

Infos = dict[str, Any]


class VectorEnv(gym.vector.VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """`num_envs` environments in one. Environment i under seed s equals `MetarlEnv` under seed s + i.

    distribution, split, task_visible, device, engine, episodes: see `metarl.gym_api.env.MetarlEnv`. task: one for all
    environments, or a list or TaskSet of one each. autoreset_mode: a member of gymnasium's AutoresetMode or its value:
    "NextStep", "SameStep" or "Disabled". max_episode_steps: a limit below the distribution's horizon, as Gymnasium
    passes it; a larger one has no effect.

    `reset(seed=..., options={"task": ..., "reset_mask": bool[num_envs]})` does not change the caller's options. Infos
    are those of `MetarlEnv` as arrays, with a mask `_key` of the environments that have the `key`.
    """

    metadata: dict[str, Any] = {
        "render_modes": ["rgb_array"], "render_fps": 30, "autoreset_mode": AutoresetMode.NEXT_STEP,
    }  # fmt: skip
    OPTIONS: ClassVar = ("task", "reset_mask")

    def __init__(
        self,
        distribution: str | TaskDistribution,
        num_envs: int = 1,
        split: str = "train",
        task: Tasks | None = None,
        task_visible: bool = False,
        device: str = "cpu",
        engine: str | None = None,
        episodes: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.render_mode = check_render_mode(render_mode, self.metadata["render_modes"])
        self._mode = _autoreset_mode(autoreset_mode)
        self._core = EnvCore(distribution, num_envs, split, task, task_visible, device, engine, episodes)
        if max_episode_steps is not None:
            self._core.shorten(max_episode_steps)
        self.num_envs = num_envs
        self.metadata = self.metadata | {"render_fps": self._core.render_fps, "autoreset_mode": self._mode}
        self.single_observation_space = self._core.observation_space
        self.single_action_space = self._core.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._all = np.ones(num_envs, bool)
        self._ended = np.zeros(num_envs, bool)  # environments whose episode ended and that were not reset

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, Infos]:
        check_options(options, self.OPTIONS)
        mask = self._reset_mask(options)
        seed = None if seed is None else check_seed(seed)
        super().reset(seed=seed)
        if seed is None and not self._core.begun:
            seed = int(self.np_random.integers(2**62))
        obs = self._core.restart(mask, seed, options)
        self._ended &= ~mask
        return obs, self._trial_infos(mask)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Infos]:
        if not self._core.begun:
            raise MetarlError("call reset() before step()")
        begin = self._ended if self._ended.any() else None  # NEXT_STEP: these are reset instead of stepped
        if begin is not None and self._mode is AutoresetMode.DISABLED:
            raise MetarlError(
                f"the episodes of environments {np.flatnonzero(begin).tolist()} are over: "
                'reset(options={"reset_mask": terminated | truncated}) before the next step'
            )
        active = None if begin is None else ~begin
        step = self._core.step(checked_action(actions, self.action_space, active), active)
        ended = step.terminated | step.truncated
        if self._mode is AutoresetMode.SAME_STEP and ended.any():
            obs, infos = self._reset_in_same_step(step, ended)
        else:
            self._ended = ended
            obs = step.obs if begin is None else self._core.restart(begin)
            infos = self._trial_infos(self._all) | self._step_infos(step, self._all if active is None else active)
        return obs, step.reward, step.terminated, step.truncated, infos

    def render(self) -> tuple[np.ndarray, ...]:
        """Return uint8 [480, 480, 3] of each environment if made with render_mode="rgb_array"."""
        if self.render_mode is None:
            raise MetarlError('made without a render mode: give render_mode="rgb_array"')
        return tuple(self._core.environment.render(i) for i in range(self.num_envs))

    def close_extras(self, **kwargs: Any) -> None:
        self._core.environment.close()

    def _reset_in_same_step(self, step: CoreStep, ended: np.ndarray) -> tuple[np.ndarray, Infos]:
        """SAME_STEP: reset the environments that ended; return observations, and infos with the final ones."""
        final_obs = np.full(self.num_envs, None, object)
        for i in np.flatnonzero(ended):
            final_obs[i] = step.obs[i].copy()
        final_info = self._trial_infos(ended) | self._step_infos(step, ended)
        obs = self._core.restart(ended)
        infos = self._trial_infos(self._all) | self._step_infos(step, ~ended)
        final = {"final_obs": final_obs, "final_info": final_info}
        return obs, infos | final | {f"_{key}": ended.copy() for key in final}

    def _trial_infos(self, mask: np.ndarray) -> Infos:
        """Return the task of the masked environments and the index of the episode in their trial."""
        return _packed({"task": self._core.task, "episode_in_trial": self._core.episode}, mask)

    def _step_infos(self, step: CoreStep, mask: np.ndarray) -> Infos:
        """Return the reward terms and events of the masked environments' step."""
        infos = _packed({"reward_terms": step.terms}, mask) if step.terms else {}
        for key, occurred in step.events.items():
            infos |= _packed({key: occurred}, occurred & mask)
        return infos

    def _reset_mask(self, options: Mapping[str, Any] | None) -> np.ndarray:
        if not options or "reset_mask" not in options:
            return self._all
        mask = options["reset_mask"]
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (self.num_envs,):
            given = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
            raise MetarlError(f"reset_mask is a NumPy array of bool of shape ({self.num_envs},), got {given}")
        if not mask.any():
            raise MetarlError("reset_mask selects no environment: set at least one True, or do not reset")
        return mask.copy()


def _packed(values: Mapping[str, Any], mask: np.ndarray) -> Infos:
    """Return infos in Gymnasium's form: copies with zeros outside of the mask, and a mask for each key; {} if empty."""
    if mask.all():
        return _with_masks(values, mask, np.copy)
    if not mask.any():
        return {}
    return _with_masks(values, mask, lambda a: np.where(mask.reshape(-1, *[1] * (a.ndim - 1)), a, a.dtype.type(0)))


def _with_masks(values: Mapping[str, Any], mask: np.ndarray, copied: Callable[[np.ndarray], np.ndarray]) -> Infos:
    infos: Infos = {}
    for key, value in values.items():
        infos[key] = _with_masks(value, mask, copied) if isinstance(value, dict) else copied(value)
        infos[f"_{key}"] = mask.copy()
    return infos


def _autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    modes = {known.value: known for known in AutoresetMode}
    if isinstance(mode, AutoresetMode):
        return mode
    if mode not in modes:
        raise unknown("autoreset mode", mode, modes)
    return modes[mode]
