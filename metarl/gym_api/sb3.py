"""Task distributions as stable-baselines3 knows environments, so that any of its algorithms trains on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from metarl.errors import MetarlError
from metarl.gym_api.core import Lanes, Tasks, check_options, checked_action
from metarl.tasks.task_distribution import TaskDistribution


class StableVecEnv(VecEnv):
    """`num_envs` episodes side by side; one that ends begins anew within the step, as stable-baselines3 expects.

    distribution, split, task, task_visible, device, engine, episodes: as in `metarl.gym_api.vector_env.VectorEnv`. Give a
    task to train on that one; otherwise it is drawn anew every `episodes` episodes. Lane i under seed s is the
    environment of `gym.make` under seed s + i.

    Infos hold "terminal_observation" and "TimeLimit.truncated" where an episode ended, and "diverged" where the physics
    blew up. For episode statistics wrap it in stable-baselines3's `VecMonitor`.
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
        self._lanes = Lanes(distribution, num_envs, split, task, task_visible, device, engine, episodes)
        self.render_mode = "rgb_array"  # asked for by VecEnv's own constructor
        super().__init__(num_envs, self._lanes.observation_space, self._lanes.action_space)
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": self._lanes.render_fps}
        self._everyone = np.ones(num_envs, bool)
        self._actions: Any = None

    def reset(self) -> np.ndarray:
        """Begin anew everywhere, by the seed that `seed` was given, and with the options of `set_options`."""
        options = self._options[0]
        if any(other != options for other in self._options):
            raise MetarlError(
                "options are the same for all environments: a task each goes into options={'task': [...]}"
            )
        check_options(options, ("task",))
        seed = self._seeds[0]
        if seed is None and not self._lanes.begun:
            seed = int(np.random.default_rng().integers(2**62))
        obs = self._lanes.restart(self._everyone, seed, options)
        self.reset_infos = [{} for _ in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        return obs

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        if not self._lanes.begun:
            raise MetarlError("call reset() before step()")
        moved = self._lanes.step(self._checked(self._actions))
        done = moved.terminated | moved.truncated
        infos: list[dict[str, Any]] = [{"TimeLimit.truncated": False} for _ in range(self.num_envs)]
        for key, lanes in moved.happened.items():
            for i in np.flatnonzero(lanes):
                infos[i][key] = True
        for i in np.flatnonzero(done):
            infos[i]["terminal_observation"] = moved.obs[i].copy()
            infos[i]["TimeLimit.truncated"] = bool(moved.truncated[i] and not moved.terminated[i])
        obs = self._lanes.restart(done) if done.any() else moved.obs
        return obs, moved.reward.astype(np.float32), done, infos

    def get_images(self) -> Sequence[np.ndarray | None]:
        return [self._lanes.environment.render(i) for i in range(self.num_envs)]

    def close(self) -> None:
        self._lanes.environment.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The same attribute of this object for each: the environments are one."""
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise MetarlError(f"{attr_name!r} cannot be set: make another StableVecEnv")

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        raise MetarlError(f"there is no single environment to call {method_name!r} of: they are stepped at once")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False for _ in self._get_indices(indices)]

    def _checked(self, actions: Any) -> np.ndarray:
        from gymnasium.vector.utils import batch_space

        return checked_action(actions, batch_space(self.action_space, self.num_envs))
