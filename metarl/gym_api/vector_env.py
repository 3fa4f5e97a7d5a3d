"""Many environments stepped at once, as Gymnasium knows them: `gym.make_vec("metarl/<Name>-v<version>", num_envs)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from metarl.core.rng import check_seed
from metarl.errors import MetarlError, unknown
from metarl.gym_api.core import Lanes, Moved, Tasks, check_options, check_render_mode, checked_action
from metarl.tasks.task_distribution import TaskDistribution

Infos = dict[str, Any]


class VectorEnv(gym.vector.VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """`num_envs` times `metarl.gym_api.env.ScalarEnv`: lane i under seed s is that environment under seed s + i.

    distribution, split, task_visible, device, engine, episodes: as there. task: one for all, or a list or TaskSet of
    one each. autoreset_mode: a member of gymnasium's AutoresetMode or its value: "NextStep", "SameStep", "Disabled".
    max_episode_steps: ends episodes before the distribution's horizon (Gymnasium passes it on); never after.

    `reset(seed=..., options={"task": ..., "reset_mask": bool[num_envs]})`; the caller's options are left as they are.
    Infos are the scalar ones as arrays, each `key` beside a mask `_key` of the lanes that have it.
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
        self._lanes = Lanes(distribution, num_envs, split, task, task_visible, device, engine, episodes)
        if max_episode_steps is not None:
            self._lanes.shorten(max_episode_steps)
        self.num_envs = num_envs
        self.metadata = self.metadata | {"render_fps": self._lanes.render_fps, "autoreset_mode": self._mode}
        self.single_observation_space = self._lanes.observation_space
        self.single_action_space = self._lanes.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._everyone = np.ones(num_envs, bool)
        self._ended = np.zeros(num_envs, bool)  # lanes whose episode ended and was not begun anew

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, Infos]:
        check_options(options, self.OPTIONS)
        mask = self._reset_mask(options)
        seed = None if seed is None else check_seed(seed)
        super().reset(seed=seed)
        if seed is None and not self._lanes.begun:
            seed = int(self.np_random.integers(2**62))
        obs = self._lanes.restart(mask, seed, options)
        self._ended &= ~mask
        return obs, self._place(mask)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Infos]:
        if not self._lanes.begun:
            raise MetarlError("call reset() before step()")
        begin = self._ended if self._ended.any() else None  # in NEXT_STEP: lanes that begin anew, whatever their action
        if begin is not None and self._mode is AutoresetMode.DISABLED:
            raise MetarlError(
                f"the episodes of environments {np.flatnonzero(begin).tolist()} are over: "
                'reset(options={"reset_mask": terminated | truncated}) before the next step'
            )
        active = None if begin is None else ~begin
        moved = self._lanes.step(checked_action(actions, self.action_space, active), active)
        ended = moved.terminated | moved.truncated
        if self._mode is AutoresetMode.SAME_STEP and ended.any():
            obs, infos = self._begin_at_once(moved, ended)
        else:
            self._ended = ended
            obs = moved.obs if begin is None else self._lanes.restart(begin)
            infos = self._place(self._everyone) | self._outcome(moved, self._everyone if active is None else active)
        return obs, moved.reward, moved.terminated, moved.truncated, infos

    def render(self) -> tuple[np.ndarray, ...]:
        """uint8 [480, 480, 3] of each environment, when made with render_mode="rgb_array"."""
        if self.render_mode is None:
            raise MetarlError('made without pictures: give render_mode="rgb_array"')
        return tuple(self._lanes.environment.render(i) for i in range(self.num_envs))

    def close_extras(self, **kwargs: Any) -> None:
        self._lanes.environment.close()

    def _begin_at_once(self, moved: Moved, ended: np.ndarray) -> tuple[np.ndarray, Infos]:
        """SAME_STEP: the next episode of the lanes that ended, and how the last one did."""
        final_obs = np.full(self.num_envs, None, object)
        for i in np.flatnonzero(ended):
            final_obs[i] = moved.obs[i].copy()
        final_info = self._place(ended) | self._outcome(moved, ended)
        obs = self._lanes.restart(ended)
        infos = self._place(self._everyone) | self._outcome(moved, ~ended)
        final = {"final_obs": final_obs, "final_info": final_info}
        return obs, infos | final | {f"_{key}": ended.copy() for key in final}

    def _place(self, mask: np.ndarray) -> Infos:
        """Which task the masked lanes are on, and in which episode of their trial."""
        return _packed({"task": self._lanes.task, "episode_in_trial": self._lanes.episode}, mask)

    def _outcome(self, moved: Moved, mask: np.ndarray) -> Infos:
        """What the masked lanes' step led to."""
        infos = _packed({"reward_terms": moved.terms}, mask) if moved.terms else {}
        for key, lanes in moved.happened.items():
            infos |= _packed({key: lanes}, lanes & mask)
        return infos

    def _reset_mask(self, options: Mapping[str, Any] | None) -> np.ndarray:
        if not options or "reset_mask" not in options:
            return self._everyone
        mask = options["reset_mask"]
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (self.num_envs,):
            given = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
            raise MetarlError(f"reset_mask is a NumPy array of bool of shape ({self.num_envs},), got {given}")
        if not mask.any():
            raise MetarlError("reset_mask names no environment: set at least one True, or do not reset")
        return mask.copy()


def _packed(values: Mapping[str, Any], mask: np.ndarray) -> Infos:
    """Infos in Gymnasium's form: copies, zeros outside of the mask, and the mask beside each key; {} for nobody."""
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
