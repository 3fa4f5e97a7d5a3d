"""Learning single tasks from nothing, by an algorithm of stable-baselines3, tested on the way.

Every task that is done is kept in a file of its own: who is interrupted begins one task anew, not all of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from metarl.benchmarks.suites.method import Method
from metarl.benchmarks.suites.scratch import Scratch
from metarl.benchmarks.suites.suite import SuiteEntry
from metarl.core.trials import Step, Trials
from metarl.gym_api.sb3 import StableVecEnv
from metarl.tasks.task_set import TaskSet
from metarl.training import evaluate
from metarl.training.evaluate import EvalResult
from metarl.training.run_dir import NEW
from metarl.training.train import Interrupted, stop_signal

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm


@dataclass(frozen=True)
class Curves:
    """What was learned on N tasks: M tests of E episodes."""

    lives: EvalResult  # reward [M, H, N, E]: a test in the place of an episode
    env_steps: list[int]  # [M], taken on a task before each test
    seconds: float


class Learned:
    """What an algorithm has learned so far, as an agent."""

    def __init__(self, algorithm: BaseAlgorithm) -> None:
        self.algorithm = algorithm

    def begin(self, num_envs: int) -> None: ...

    def act(self, obs: Tensor) -> Tensor:
        normalize = self.algorithm.get_vec_normalize_env()
        assert normalize is not None  # `_begin` has put it there
        action, _ = self.algorithm.predict(normalize.normalize_obs(obs.numpy()), deterministic=True)  # pyright: ignore[reportArgumentType]
        return torch.from_numpy(action)

    def observe(self, step: Step) -> None: ...


def learn(method: Method, entry: SuiteEntry, tasks: TaskSet, seed: int, at: Path) -> Curves:
    """Learn each of the tasks alone; those that are done already are read from the folder `at`."""
    at.mkdir(parents=True, exist_ok=True)
    with stop_signal(lambda _: None) as stop:
        parts = [_kept(at / f"task-{i}.npz", method, entry, tasks[i], seed, stop) for i in range(len(tasks))]
    reward, lived = (np.concatenate([part[name] for part in parts], 2) for name in ("reward", "mask"))
    diverged = sum(int(part["diverged"]) for part in parts)
    env_steps = parts[0]["env_steps"].tolist()  # the same for all: only rollouts of one size are taken
    return Curves(EvalResult(tasks, reward, lived, diverged), env_steps, sum(float(p["seconds"]) for p in parts))


def _kept(
    file: Path, method: Method, entry: SuiteEntry, task: TaskSet, seed: int, stop: list[int]
) -> dict[str, np.ndarray]:
    if not file.exists():
        found = _learn_one(method, entry, task, seed, stop)
        temporary = file.with_name(file.name + NEW)
        with temporary.open("wb") as out:
            np.savez_compressed(out, allow_pickle=False, **found)
        temporary.replace(file)
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def _learn_one(
    method: Method, entry: SuiteEntry, task: TaskSet, seed: int, stop: list[int]
) -> dict[str, np.ndarray | float | int]:
    how, began = _how(entry), time.perf_counter()
    algorithm = _begin(method, entry, task, seed)
    test = replace(entry.distribution, episodes=1).make(how.replicates)
    try:
        tests = list(_tests(algorithm, test, task, how, stop))
    finally:
        test.close()
        algorithm.get_env().close()  # pyright: ignore[reportOptionalMemberAccess]
    return {
        "reward": np.concatenate([lives.reward for _, lives in tests]),
        "mask": np.concatenate([lives.mask for _, lives in tests]),
        "diverged": sum(lives.diverged for _, lives in tests), "env_steps": np.array([steps for steps, _ in tests]),
        "seconds": time.perf_counter() - began,
    }  # fmt: skip


def _begin(method: Method, entry: SuiteEntry, task: TaskSet, seed: int) -> BaseAlgorithm:
    """The algorithm, new, with observations and rewards normalised as stable-baselines3 does it."""
    from stable_baselines3.common.vec_env import VecNormalize

    how = _how(entry)
    settings: dict[str, Any] = {"policy": "MlpPolicy", **method.settings, **how.settings}
    env = StableVecEnv(entry.distribution, how.num_envs, task=task)
    normalized = VecNormalize(env, gamma=settings.get("gamma", 0.99))
    return method.algorithm(env=normalized, seed=seed, device="cpu", **settings)


def _tests(
    algorithm: BaseAlgorithm, env: Trials, task: TaskSet, how: Scratch, stop: list[int]
) -> Iterator[tuple[int, EvalResult]]:
    """(env steps so far, what the mean policy earns), before anything is learned and at every mark."""
    yield 0, evaluate.evaluate_agent(Learned(algorithm), env, task, how.replicates)
    for mark in range(1, how.marks + 1):
        if stop:
            raise Interrupted("stopped: the task that was being learned begins anew next time")
        left = mark * how.steps // how.marks - algorithm.num_timesteps
        if left > 0:
            algorithm.learn(left, reset_num_timesteps=False)
        yield algorithm.num_timesteps, evaluate.evaluate_agent(Learned(algorithm), env, task, how.replicates)


def _how(entry: SuiteEntry) -> Scratch:
    assert entry.scratch is not None  # or there was no cell
    return entry.scratch
