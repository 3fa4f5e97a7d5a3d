"""The stable-baselines3 environment of a task distribution, on which any of its algorithms trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from metarl.errors import MetarlError
from metarl.gym_api.env_core import EnvCore, Tasks, check_options, checked_action
from metarl.tasks.task_distribution import TaskDistribution


class StableVecEnv(VecEnv):
    """`num_envs` environments in one. An environment whose episode ends is reset within the step.

    distribution, split, task, task_visible, device, engine, episodes: see `metarl.gym_api.vector_env.VectorEnv`. With a
    task, all episodes have that task. Otherwise a new one is drawn every `episodes` episodes. Environment i under seed
    s equals the environment of `gym.make` under seed s + i.

    Infos hold "terminal_observation" and "TimeLimit.truncated" if an episode ended, and "diverged" if the physics
    diverged. For episode statistics, wrap it in stable-baselines3's `VecMonitor`.
    """

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
    ) -> None:
        self._core = EnvCore(distribution, num_envs, split, task, task_visible, device, engine, episodes)
        self.render_mode = "rgb_array"  # VecEnv's constructor reads it
        super().__init__(num_envs, self._core.observation_space, self._core.action_space)
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": self._core.render_fps}
        self._all = np.ones(num_envs, bool)
        self._actions: Any = None

    def reset(self) -> np.ndarray:
        """Reset all environments with the seed of `seed` and the options of `set_options`."""
        options = self._options[0]
        if any(other != options for other in self._options):
            raise MetarlError(
                "options are the same for all environments: give one task each as options={'task': [...]}"
            )
        check_options(options, ("task",))
        seed = self._seeds[0]
        if seed is None and not self._core.begun:
            seed = int(np.random.default_rng().integers(2**62))
        obs = self._core.restart(self._all, seed, options)
        self.reset_infos = [{} for _ in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        return obs

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        if not self._core.begun:
            raise MetarlError("call reset() before step()")
        step = self._core.step(self._checked(self._actions))
        done = step.terminated | step.truncated
        infos: list[dict[str, Any]] = [{"TimeLimit.truncated": False} for _ in range(self.num_envs)]
        for key, occurred in step.events.items():
            for i in np.flatnonzero(occurred):
                infos[i][key] = True
        for i in np.flatnonzero(done):
            infos[i]["terminal_observation"] = step.obs[i].copy()
            infos[i]["TimeLimit.truncated"] = bool(step.truncated[i] and not step.terminated[i])
        obs = self._core.restart(done) if done.any() else step.obs
        return obs, step.reward.astype(np.float32), done, infos

    def get_images(self) -> Sequence[np.ndarray | None]:
        return [self._core.environment.render(i) for i in range(self.num_envs)]

    def close(self) -> None:
        self._core.environment.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return the attribute of this object once for each environment, as they share it."""
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise MetarlError(f"{attr_name!r} cannot be set: make another StableVecEnv")

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        raise MetarlError(f"cannot call {method_name!r} of a single environment: all are stepped at once")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False for _ in self._get_indices(indices)]

    def _checked(self, actions: Any) -> np.ndarray:
        from gymnasium.vector.utils import batch_space

        return checked_action(actions, batch_space(self.action_space, self.num_envs))
