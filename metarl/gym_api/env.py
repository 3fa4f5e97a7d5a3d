"""The single Gymnasium environment, `gym.make("metarl/<Name>-v<version>")`."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np

from metarl.core.rng import check_seed
from metarl.errors import MetarlError
from metarl.gym_api.env_core import CoreStep, EnvCore, Task, check_options, check_render_mode, checked_action
from metarl.gym_api.viewer import Viewer
from metarl.tasks.task_distribution import TaskDistribution

Info = dict[str, Any]


class MetarlEnv(gym.Env[np.ndarray, Any]):
    """Episodes of one task distribution. A Gymnasium episode is one episode of the MDP, at most `horizon` steps.

    distribution: a name, `path/to/file.py:Name`, or a TaskDistribution. split: the split that tasks are drawn from.
    task: a dict of every varied parameter, or a TaskSet of one; if None, a new task is drawn every `episodes` episodes.
    task_visible: append the task to the observation, for oracles. episodes: K in a trial, if not the distribution's.

    `reset(seed=..., options={"task": ...})` begins a new trial. A given task stays until another is given, or until a
    new seed or {"task": None}. `info` holds "task" (dict) and "episode_in_trial" (0 to K-1). After a step it also holds
    "reward_terms" (dict; the reward is exactly their sum), and "diverged" if the physics diverged, which truncates.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "human"], "render_fps": 30}
    OPTIONS: ClassVar = ("task",)

    def __init__(
        self,
        distribution: str | TaskDistribution,
        split: str = "train",
        task: Task | None = None,
        task_visible: bool = False,
        device: str = "cpu",
        engine: str | None = None,
        episodes: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.render_mode = check_render_mode(render_mode, self.metadata["render_modes"])
        self._core = EnvCore(distribution, 1, split, task, task_visible, device, engine, episodes)
        self.metadata = self.metadata | {"render_fps": self._core.render_fps}  # a copy: the class keeps its own
        self.observation_space = self._core.observation_space
        self.action_space = self._core.action_space
        self._running = False
        self._viewer: Viewer | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, Info]:
        check_options(options, self.OPTIONS)
        seed = None if seed is None else check_seed(seed)
        super().reset(seed=seed)
        if seed is None and not self._core.begun:
            seed = int(self.np_random.integers(2**62))
        obs = self._core.restart(np.ones(1, bool), seed, options)
        self._running = True
        self._show()
        return obs[0], self._info()

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, Info]:
        if not self._running:
            raise MetarlError("the episode is over, or none has begun: call reset() before step()")
        step = self._core.step(checked_action(action, self.action_space)[None])
        terminated, truncated = bool(step.terminated[0]), bool(step.truncated[0])
        self._running = not (terminated or truncated)
        self._show()
        return step.obs[0], float(step.reward[0]), terminated, truncated, self._info(step)

    def render(self) -> np.ndarray | None:
        """Return uint8 [480, 480, 3] with render_mode="rgb_array", None with "human". Steps update the window."""
        if self.render_mode is None:
            raise MetarlError('made without a render mode: give render_mode="rgb_array" or "human"')
        return self._core.environment.render() if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        self._core.environment.close()
        if self._viewer is not None:
            self._viewer.close()
            self._viewer = None

    def _show(self) -> None:
        if self.render_mode == "human":
            if self._viewer is None:
                self._viewer = Viewer(self._core.distribution.name, self.metadata["render_fps"])
            self._viewer.show(self._core.environment.render())

    def _info(self, step: CoreStep | None = None) -> Info:
        info: Info = {
            "task": {name: _plain(values) for name, values in self._core.task.items()},
            "episode_in_trial": int(self._core.episode[0]),
        }
        if step is not None:
            info["reward_terms"] = {name: float(term[0]) for name, term in step.terms.items()}
            info |= dict.fromkeys(step.events, True)
        return info


def _plain(values: np.ndarray) -> Any:
    """Return the only row: a Python number, or a copy of the array."""
    return values[0].item() if values.ndim == 1 else values[0].copy()
