"""One environment as Gymnasium knows it: `gym.make("metarl/<Name>-v<version>")`."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np

from metarl.core.rng import check_seed
from metarl.errors import MetarlError
from metarl.gym_api.core import Lanes, Moved, Task, check_options, check_render_mode, checked_action
from metarl.gym_api.viewer import Window
from metarl.tasks.task_distribution import TaskDistribution

Info = dict[str, Any]


class ScalarEnv(gym.Env[np.ndarray, Any]):
    """Episodes of one task distribution; a Gymnasium episode is one episode of the MDP, at most `horizon` steps.

    distribution: a name, `path/to/file.py:Name`, or a TaskDistribution. split: where tasks are drawn from.
    task: a dict of every varied parameter, or a TaskSet of one; drawn anew every `episodes` episodes when None.
    task_visible: append the task to the observation, for oracles. episodes: K in a trial, the distribution's when None.

    `reset(seed=..., options={"task": ...})` begins a new trial; the task given stays until another one is given, or
    until a new seed or {"task": None}. `info` holds "task" (dict), "episode_in_trial" (0 to K-1), after a step
    "reward_terms" (dict; its sum is the reward, exactly), and "diverged" where the physics blew up, which truncates.
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
        self._lanes = Lanes(distribution, 1, split, task, task_visible, device, engine, episodes)
        self.metadata = self.metadata | {"render_fps": self._lanes.render_fps}  # not the class's
        self.observation_space = self._lanes.observation_space
        self.action_space = self._lanes.action_space
        self._running = False
        self._window: Window | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, Info]:
        check_options(options, self.OPTIONS)
        seed = None if seed is None else check_seed(seed)
        super().reset(seed=seed)
        if seed is None and not self._lanes.begun:
            seed = int(self.np_random.integers(2**62))
        obs = self._lanes.restart(np.ones(1, bool), seed, options)
        self._running = True
        self._show()
        return obs[0], self._info()

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, Info]:
        if not self._running:
            raise MetarlError("the episode is over, or none has begun: call reset() before step()")
        moved = self._lanes.step(checked_action(action, self.action_space)[None])
        terminated, truncated = bool(moved.terminated[0]), bool(moved.truncated[0])
        self._running = not (terminated or truncated)
        self._show()
        return moved.obs[0], float(moved.reward[0]), terminated, truncated, self._info(moved)

    def render(self) -> np.ndarray | None:
        """uint8 [480, 480, 3] with render_mode="rgb_array"; with "human", None: the window follows by itself."""
        if self.render_mode is None:
            raise MetarlError('made without pictures: give render_mode="rgb_array" or "human"')
        return self._lanes.environment.render() if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        self._lanes.environment.close()
        if self._window is not None:
            self._window.close()
            self._window = None

    def _show(self) -> None:
        if self.render_mode == "human":
            if self._window is None:
                self._window = Window(self._lanes.distribution.name, self.metadata["render_fps"])
            self._window.show(self._lanes.environment.render())

    def _info(self, moved: Moved | None = None) -> Info:
        lanes = self._lanes
        info: Info = {
            "task": {name: _plain(values) for name, values in lanes.task.items()},
            "episode_in_trial": int(lanes.episode[0]),
        }
        if moved is not None:
            info["reward_terms"] = {name: float(term[0]) for name, term in moved.terms.items()}
            info |= dict.fromkeys(moved.happened, True)
        return info


def _plain(values: np.ndarray) -> Any:
    """The only row: a Python number, or an array of its own."""
    return values[0].item() if values.ndim == 1 else values[0].copy()
