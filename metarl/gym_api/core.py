"""What both faces stand on: lanes of episodes, each with a seed, a task and a place in a trial of its own.

All that happens in lane i follows from its own seed, so a lane of many is the same as an environment of one.
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
Tasks = Task | Sequence[Task]  # one for all lanes, or one each

LIMIT = 1e10  # in place of infinity in spaces: beyond it MuJoCo itself calls a simulation diverged (mjMAXVAL)
DRAWN_AT_ONCE = 8  # tasks of a lane: one costs as much as these, and lanes that fall often need many
HAPPENED = {"diverged": DIVERGED, "overflow": OVERFLOW}  # key in info -> its flag


class Moved(NamedTuple):
    """What a step led to. Lanes at rest keep their observation, have reward 0 and no flags."""

    obs: np.ndarray  # float32 or uint8 [B, *observation], before any restart
    reward: np.ndarray  # float64 [B], exactly the sum of `terms`, added in their order
    terminated: np.ndarray  # bool [B]
    truncated: np.ndarray  # bool [B]
    terms: dict[str, np.ndarray]  # float64 [B] each
    happened: dict[str, np.ndarray]  # key of HAPPENED -> bool [B]; only those that did happen


class Lanes:
    """B lanes of one task distribution, NumPy in and out; every array handed out has memory of its own.

    A lane's task is drawn anew every `episodes` episodes, unless it is given: to the constructor, or to `reset`.
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
        self.observation_space = _finite(self.environment.observation_space)  # of one lane
        self.action_space = self.environment.action_space
        self.begun = False
        self.task: dict[str, np.ndarray] = {}  # name -> [B, *shape]
        self.episode = np.full(num_envs, -1)  # int64 [B], in the trial: 0 to K-1
        self._trial = np.full(num_envs, -1)  # int64 [B], since the seed
        self._seed = np.zeros(num_envs, np.int64)
        self._given = np.zeros(num_envs, bool)  # lanes that keep the task they were given
        self._drawn: dict[int, tuple[int, int, TaskSet]] = {}  # lane -> its seed, which DRAWN_AT_ONCE, and they

    # Restarts ---------------------------------------------------------------------------------------------------

    @acting()
    def restart(self, mask: np.ndarray, seed: int | None = None, options: Options | None = None) -> np.ndarray:
        """Begin the next episode of the masked lanes; the observation of all.

        A seed (lane i takes seed + i) or the option "task" begins a new trial. A task given stays until another one
        is, or until a new seed or {"task": None} return to what the constructor was told.
        """
        if not (self.begun or mask.all()):
            raise MetarlError("the first reset is of every environment: leave reset_mask out")
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
        """End episodes after this many steps, if the horizon does not before."""
        if not isinstance(steps, int) or steps < 1:
            raise MetarlError(f"max_episode_steps must be a whole number of at least 1, got {steps!r}")
        self.environment.horizon = min(self.environment.horizon, steps)

    def task_set(self, task: Tasks) -> TaskSet:
        """One task, or one for each lane, checked against the distribution."""
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
        """Give the masked lanes their rows of `tasks`, or where it is None tasks drawn from the split."""
        if not mask.any():
            return
        index = np.flatnonzero(mask)
        if tasks is not None:
            rows = {name: values[index if len(tasks) > 1 else [0]] for name, values in tasks.params.items()}
        else:
            drawn = [self._draw(i) for i in index.tolist()]
            rows = {name: np.stack([params[name][row] for params, row in drawn]) for name in drawn[0][0]}
        if not self.task:  # the first time, which is of every lane
            self.task = {n: np.empty((self.num_envs, *values.shape[1:]), values.dtype) for n, values in rows.items()}
        for name, values in rows.items():
            self.task[name][index] = values
        whole = TaskSet(self.task, self.distribution.specs, self.distribution.name, self.distribution.version)
        self.environment.assign(whole, self._tensor(mask))

    def _draw(self, lane: int) -> tuple[Mapping[str, np.ndarray], int]:
        """Tasks that a lane's seed gives it, and which of them its trial is on."""
        seed, (several, row) = int(self._seed[lane]), divmod(int(self._trial[lane]), DRAWN_AT_ONCE)
        if self._drawn.get(lane, ())[:2] != (seed, several):
            tasks = self.distribution.tasks(self.split, DRAWN_AT_ONCE, derive_seed("task", seed, several))
            self._drawn[lane] = seed, several, tasks
        return self._drawn[lane][2].params, row

    # Steps ------------------------------------------------------------------------------------------------------

    @acting()
    def step(self, action: np.ndarray, active: np.ndarray | None = None) -> Moved:
        """One step of the active lanes, of all when None. `action`: as `checked_action` returns it."""
        environment = self.environment
        after = environment.step(self._tensor(action), None if active is None else self._tensor(active))
        terms = {name: _float64(term, active) for name, term in environment.reward_terms.items()}
        reward = np.zeros(self.num_envs)
        for term in terms.values():
            reward += term
        flags = after.flags.cpu().numpy()
        happened = {key: (flags & bit).astype(bool) for key, bit in HAPPENED.items()} if flags.any() else {}
        return Moved(
            after.obs.cpu().numpy(),
            reward if terms else _float64(after.reward, active),
            after.terminated.numpy(force=True).copy(),  # a world may hand out the same one again
            after.truncated.cpu().numpy(),
            terms,
            {key: lanes for key, lanes in happened.items() if lanes.any()},
        )

    @property
    def render_fps(self) -> int:
        """Env steps a second of simulated time, for videos."""
        return self.environment.simulation.render_fps

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.environment.device)


def checked_action(action: Any, space: gym.Space, active: np.ndarray | None = None) -> np.ndarray:
    """A copy of `action` that fits `space`; MetarlError for a wrong shape or kind, NaN, or a choice there is not.

    What lies outside of a Box is left for the environment to clip. Rows of lanes that are not active are ignored.
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
            raise MetarlError(_refusal(given, space, wrong))
    return array


def _refusal(action: np.ndarray, space: gym.Space, wrong: np.ndarray) -> str:
    if isinstance(space, gym.spaces.Box):
        return f"the action holds NaN in {int(wrong.sum())} of {action.size} numbers: the policy has diverged, or 0/0"
    return f"the action {action.tolist()} is not in {space}"


def _float64(tensor: torch.Tensor, active: np.ndarray | None) -> np.ndarray:
    """A float64 copy, 0 where not active."""
    array = tensor.cpu().numpy().astype(np.float64)
    return array if active is None else np.where(active, array, 0.0)


def _distribution(distribution: str | TaskDistribution) -> TaskDistribution:
    found = registry.find("distribution", distribution) if isinstance(distribution, str) else distribution
    if not isinstance(found, TaskDistribution):
        raise MetarlError(f"distribution is a TaskDistribution or the name of one, got {distribution!r}")
    return found


def _finite(space: gym.spaces.Box) -> gym.spaces.Box:
    """The same space without infinite bounds: observations are finite, and Gymnasium's check_env warns of them."""
    if space.dtype.kind != "f":
        return space
    low, high = (np.clip(bound, -LIMIT, LIMIT) for bound in (space.low, space.high))
    return gym.spaces.Box(low, high, space.shape, space.dtype.type)


def check_options(options: Options | None, known: tuple[str, ...]) -> None:
    """MetarlError for an option of `reset` that nobody reads."""
    for name in options or {}:
        if name not in known:
            raise unknown("option of reset", name, known)


def check_render_mode(render_mode: str | None, render_modes: Sequence[str]) -> str | None:
    if render_mode is not None and render_mode not in render_modes:
        raise unknown("render mode", render_mode, render_modes)
    return render_mode
