"""The core of the Gymnasium environments: episodes in B environments, each with its own seed, task and trial.

The episodes of environment i are a function of its own seed, so that one of many environments equals a single one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch

from metarl import registry
from metarl.core.environment import Environment
from metarl.core.rng import check_seed, derive_seed
from metarl.core.simulation import DIVERGED, OVERFLOW
from metarl.errors import MetarlError, unknown
from metarl.runtime.threads import acting
from metarl.tasks.parameter import as_numbers
from metarl.tasks.task_distribution import TaskDistribution
from metarl.tasks.task_set import TaskSet

Task = Mapping[str, Any] | TaskSet
Options = Mapping[str, Any]
Tasks = Task | Sequence[Task]  # one for all environments, or one each

LIMIT = 1e10  # replaces infinity in spaces; MuJoCo treats a simulation with larger values as diverged (mjMAXVAL)
TASKS_PER_DRAW = 8  # drawing one task costs as much as drawing 8, and environments with short episodes need many
EVENTS = {"diverged": DIVERGED, "overflow": OVERFLOW}  # key in info -> its flag


class CoreStep(NamedTuple):
    """The results of a step. Environments that were not active keep their obs, and have reward 0 and no flags."""

    obs: np.ndarray  # float32 or uint8 [B, *observation], before any restart
    reward: np.ndarray  # float64 [B], the exact sum of `terms`, added in their order
    terminated: np.ndarray  # bool [B]
    truncated: np.ndarray  # bool [B]
    terms: dict[str, np.ndarray]  # float64 [B] each
    events: dict[str, np.ndarray]  # key of EVENTS -> bool [B]; only events that occurred in at least one environment


class EnvCore:
    """B environments of one task distribution with a NumPy interface. Returned arrays share no memory.

    Every environment draws a new task every `episodes` episodes, unless the constructor or `restart` is given one.
    """

    def __init__(
        self,
        distribution: str | TaskDistribution,
        num_envs: int,
        split: str,
        task: Tasks | None,
        task_visible: bool,
        device: str,
        engine: str | None,
        episodes: int | None,
    ) -> None:
        self.distribution = _distribution(distribution)
        self.split = self.distribution.require(split)
        self.episodes = self.distribution.episodes if episodes is None else episodes
        if not isinstance(self.episodes, int) or isinstance(self.episodes, bool) or self.episodes < 1:
            raise MetarlError(f"episodes (in a trial) must be a whole number of at least 1, got {episodes!r}")
        self.num_envs = num_envs
        self._default = None if task is None else self.task_set(task)
        self.environment = Environment(self.distribution, num_envs, device, engine, task_visible)
        self.observation_space = _finite(self.environment.observation_space)  # of one environment
        self.action_space = self.environment.action_space
        self.begun = False
        self.task: dict[str, np.ndarray] = {}  # name -> [B, *shape]
        self.episode = np.full(num_envs, -1)  # int64 [B], index in the trial: 0 to K-1
        self._trial = np.full(num_envs, -1)  # int64 [B], trials since the seed was set
        self._seed = np.zeros(num_envs, np.int64)
        self._given = np.zeros(num_envs, bool)  # bool [B], environments that keep a given task
        self._drawn: dict[int, tuple[int, int, TaskSet]] = {}  # index -> (seed, draw, TASKS_PER_DRAW tasks)

    # Restarts ---------------------------------------------------------------------------------------------------

    @acting()
    def restart(self, mask: np.ndarray, seed: int | None = None, options: Options | None = None) -> np.ndarray:
        """Begin the next episode of the masked environments and return the observations of all.

        A seed (environment i takes seed + i) or the option "task" begins a new trial. A given task stays until another
        is given. A new seed or {"task": None} returns to the constructor's choice of tasks.
        """
        if not (self.begun or mask.all()):
            raise MetarlError("the first reset must reset every environment: leave reset_mask out")
        options = options or {}
        given = options.get("task")
        tasks = self._default if given is None else self.task_set(given)
        if seed is not None:
            self._reseed(mask, seed)
        if seed is not None or "task" in options:
            self.episode[mask] = self.episodes  # the trial is over
            self._given[mask] = tasks is not None
        self.episode += mask
        new = mask & (self.episode >= self.episodes)
        self._trial += new
        self.episode[new] = 0
        self._assign(new & ~self._given, None)
        if seed is not None or "task" in options:
            self._assign(new & self._given, tasks)
        self.begun = True
        return self.environment.reset(self._tensor(mask)).cpu().numpy()

    def shorten(self, steps: int) -> None:
        """End episodes after this many steps if the horizon is longer."""
        if not isinstance(steps, int) or steps < 1:
            raise MetarlError(f"max_episode_steps must be a whole number of at least 1, got {steps!r}")
        self.environment.horizon = min(self.environment.horizon, steps)

    def task_set(self, task: Tasks) -> TaskSet:
        """Return one task, or one for each environment, checked against the distribution."""
        if isinstance(task, Sequence):
            if not task:
                raise MetarlError("give at least one task, not an empty list")
            tasks = TaskSet.concatenate([self.distribution.task_set(t) for t in task])
        else:
            tasks = self.distribution.task_set(task)
        if len(tasks) not in (1, self.num_envs):
            raise MetarlError(f"{len(tasks)} tasks for {self.num_envs} environments: give one task, or one each")
        return tasks

    def _reseed(self, mask: np.ndarray, seed: int) -> None:
        check_seed(seed + self.num_envs - 1)
        self._seed[mask] = (seed + np.arange(self.num_envs))[mask]
        self._trial[mask] = -1
        key = torch.zeros(self.num_envs, dtype=torch.int64, device=self.environment.device)
        self.environment.seed(self._tensor(self._seed), key, self._tensor(mask))

    def _assign(self, mask: np.ndarray, tasks: TaskSet | None) -> None:
        """Assign rows of `tasks` to the masked environments, or tasks drawn from the split if `tasks` is None."""
        if not mask.any():
            return
        index = np.flatnonzero(mask)
        if tasks is not None:
            rows = {name: values[index if len(tasks) > 1 else [0]] for name, values in tasks.params.items()}
        else:
            drawn = [self._draw(i) for i in index.tolist()]
            rows = {name: np.stack([params[name][row] for params, row in drawn]) for name in drawn[0][0]}
        if not self.task:  # the first reset, which includes every environment
            self.task = {n: np.empty((self.num_envs, *values.shape[1:]), values.dtype) for n, values in rows.items()}
        for name, values in rows.items():
            self.task[name][index] = values
        whole = TaskSet(self.task, self.distribution.specs, self.distribution.name, self.distribution.version)
        self.environment.assign(whole, self._tensor(mask))

    def _draw(self, index: int) -> tuple[Mapping[str, np.ndarray], int]:
        """Return tasks that follow from an environment's seed, and the row of its current trial."""
        seed, (draw, row) = int(self._seed[index]), divmod(int(self._trial[index]), TASKS_PER_DRAW)
        if self._drawn.get(index, ())[:2] != (seed, draw):
            tasks = self.distribution.tasks(self.split, TASKS_PER_DRAW, derive_seed("task", seed, draw))
            self._drawn[index] = seed, draw, tasks
        return self._drawn[index][2].params, row

    # Steps ------------------------------------------------------------------------------------------------------

    @acting()
    def step(self, action: np.ndarray, active: np.ndarray | None = None) -> CoreStep:
        """Step the active environments, or all if None. `action`: the result of `checked_action`."""
        environment = self.environment
        transition = environment.step(self._tensor(action), None if active is None else self._tensor(active))
        terms = {name: _float64(term, active) for name, term in environment.reward_terms.items()}
        reward = np.zeros(self.num_envs)
        for term in terms.values():
            reward += term
        flags = transition.flags.cpu().numpy()
        events = {key: (flags & bit).astype(bool) for key, bit in EVENTS.items()} if flags.any() else {}
        return CoreStep(
            transition.obs.cpu().numpy(),
            reward if terms else _float64(transition.reward, active),
            transition.terminated.numpy(force=True).copy(),  # a world may return the same tensor again
            transition.truncated.cpu().numpy(),
            terms,
            {key: mask for key, mask in events.items() if mask.any()},
        )

    @property
    def render_fps(self) -> int:
        """Env steps per second of simulated time, for videos."""
        return self.environment.simulation.render_fps

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.environment.device)


def checked_action(action: Any, space: gym.Space, active: np.ndarray | None = None) -> np.ndarray:
    """Return a copy of `action` that fits `space`, with rows of inactive environments ignored.

    Raises MetarlError for a wrong shape or dtype, for NaN, and for a choice outside of a discrete space. Values outside
    of a Box are not changed: the environment clips them.
    """
    given = as_numbers("action", action)
    if given.shape != space.shape:
        raise MetarlError(f"the action has shape {given.shape}, expected {space.shape}")
    continuous = isinstance(space, gym.spaces.Box)
    if given.dtype.kind not in ("f" if continuous else "iu"):
        kind = "floating-point" if continuous else "integer"
        raise MetarlError(f"the action has dtype {given.dtype}, expected {kind} numbers such as {space.dtype}")
    array = np.array(given, np.float64 if given.dtype == np.float64 else np.float32 if continuous else np.int64)
    if continuous:
        wrong = np.isnan(array)
    else:
        choices = space.n if isinstance(space, gym.spaces.Discrete) else getattr(space, "nvec", np.inf)
        choice = array - getattr(space, "start", 0)
        wrong = (choice < 0) | (choice >= choices)
    if wrong.any():
        if active is not None:
            array[~active] = 0
            wrong = wrong[active]
        if wrong.any():
            raise MetarlError(_bad_action_text(given, space, wrong))
    return array


def _bad_action_text(action: np.ndarray, space: gym.Space, wrong: np.ndarray) -> str:
    if isinstance(space, gym.spaces.Box):
        numbers = f"{int(wrong.sum())} of {action.size} numbers"
        return f"the action holds NaN in {numbers}: the policy has diverged, or divides 0 by 0"
    return f"the action {action.tolist()} is not in {space}"


def _float64(tensor: torch.Tensor, active: np.ndarray | None) -> np.ndarray:
    """Return a float64 copy that is 0 where not active."""
    array = tensor.cpu().numpy().astype(np.float64)
    return array if active is None else np.where(active, array, 0.0)


def _distribution(distribution: str | TaskDistribution) -> TaskDistribution:
    resolved = registry.find("distribution", distribution) if isinstance(distribution, str) else distribution
    if not isinstance(resolved, TaskDistribution):
        raise MetarlError(f"distribution is a TaskDistribution or the name of one, got {distribution!r}")
    return resolved


def _finite(space: gym.spaces.Box) -> gym.spaces.Box:
    """Return the space with finite bounds, because Gymnasium's check_env warns of infinite ones."""
    if space.dtype.kind != "f":
        return space
    low, high = (np.clip(bound, -LIMIT, LIMIT) for bound in (space.low, space.high))
    return gym.spaces.Box(low, high, space.shape, space.dtype.type)


def check_options(options: Options | None, known: tuple[str, ...]) -> None:
    """Raise MetarlError for an unknown option of `reset`."""
    for name in options or {}:
        if name not in known:
            raise unknown("option of reset", name, known)


def check_render_mode(render_mode: str | None, render_modes: Sequence[str]) -> str | None:
    if render_mode is not None and render_mode not in render_modes:
        raise unknown("render mode", render_mode, render_modes)
    return render_mode
