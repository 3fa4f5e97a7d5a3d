"""Learning of single tasks from scratch by an algorithm of stable-baselines3, with tests during the training.

Each finished task is saved to its own file, so that an interrupted call repeats one task at most.
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
from metarl.benchmarks.suites.scratch_settings import ScratchSettings
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
class LearningCurves:
    """The learning curves of N tasks: M tests of E episodes each."""

    result: EvalResult  # reward [M, H, N, E]: tests take the place of episodes
    env_steps: list[int]  # [M], taken on a task before each test
    seconds: float


class AlgorithmAgent:
    """The present policy of an algorithm, as an agent."""

    def __init__(self, algorithm: BaseAlgorithm) -> None:
        self.algorithm = algorithm

    def begin(self, num_envs: int) -> None: ...

    def act(self, obs: Tensor) -> Tensor:
        normalize = self.algorithm.get_vec_normalize_env()
        assert normalize is not None  # `_make_algorithm` wraps the environment in it
        action, _ = self.algorithm.predict(normalize.normalize_obs(obs.numpy()), deterministic=True)  # pyright: ignore[reportArgumentType]
        return torch.from_numpy(action)

    def observe(self, step: Step) -> None: ...


def learn(method: Method, entry: SuiteEntry, tasks: TaskSet, seed: int, folder: Path) -> LearningCurves:
    """Learn each of the tasks alone, and save it in the folder; tasks that were saved before are loaded."""
    folder.mkdir(parents=True, exist_ok=True)
    with stop_signal(lambda _: None) as stop:
        parts = [
            _load_or_learn(folder / f"task-{i}.npz", method, entry, tasks[i], seed, stop) for i in range(len(tasks))
        ]
    reward, mask = (np.concatenate([part[name] for part in parts], 2) for name in ("reward", "mask"))
    diverged = sum(int(part["diverged"]) for part in parts)
    env_steps = parts[0]["env_steps"].tolist()  # the same for all tasks: every rollout has the same size
    seconds = sum(float(part["seconds"]) for part in parts)
    return LearningCurves(EvalResult(tasks, reward, mask, diverged), env_steps, seconds)


def _load_or_learn(
    file: Path, method: Method, entry: SuiteEntry, task: TaskSet, seed: int, stop: list[int]
) -> dict[str, np.ndarray]:
    if not file.exists():
        learned = _learn_one(method, entry, task, seed, stop)
        temporary = file.with_name(file.name + NEW)
        with temporary.open("wb") as out:
            np.savez_compressed(out, allow_pickle=False, **learned)
        temporary.replace(file)
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def _learn_one(
    method: Method, entry: SuiteEntry, task: TaskSet, seed: int, stop: list[int]
) -> dict[str, np.ndarray | float | int]:
    scratch, start = _scratch_of(entry), time.perf_counter()
    algorithm = _make_algorithm(method, entry, task, seed)
    env = replace(entry.distribution, episodes=1).make(scratch.replicates)
    try:
        tests = list(_tests(algorithm, env, task, scratch, stop))
    finally:
        env.close()
        algorithm.get_env().close()  # pyright: ignore[reportOptionalMemberAccess]
    return {
        "reward": np.concatenate([result.reward for _, result in tests]),
        "mask": np.concatenate([result.mask for _, result in tests]),
        "diverged": sum(result.diverged for _, result in tests), "env_steps": np.array([steps for steps, _ in tests]),
        "seconds": time.perf_counter() - start,
    }  # fmt: skip


def _make_algorithm(method: Method, entry: SuiteEntry, task: TaskSet, seed: int) -> BaseAlgorithm:
    """Return a new algorithm, with observations and rewards normalised by stable-baselines3."""
    from stable_baselines3.common.vec_env import VecNormalize

    scratch = _scratch_of(entry)
    settings: dict[str, Any] = {"policy": "MlpPolicy", **method.settings, **scratch.settings}
    env = StableVecEnv(entry.distribution, scratch.num_envs, task=task)
    normalized = VecNormalize(env, gamma=settings.get("gamma", 0.99))
    return method.algorithm(env=normalized, seed=seed, device="cpu", **settings)


def _tests(
    algorithm: BaseAlgorithm, env: Trials, task: TaskSet, scratch: ScratchSettings, stop: list[int]
) -> Iterator[tuple[int, EvalResult]]:
    """Yield (env steps so far, evaluation of the mean policy) before the training and at every mark."""
    yield 0, evaluate.evaluate_agent(AlgorithmAgent(algorithm), env, task, scratch.replicates)
    for mark in range(1, scratch.marks + 1):
        if stop:
            raise Interrupted("stopped: the task that was being learned is begun again by the next call")
        left = mark * scratch.steps // scratch.marks - algorithm.num_timesteps
        if left > 0:
            algorithm.learn(left, reset_num_timesteps=False)
        yield algorithm.num_timesteps, evaluate.evaluate_agent(AlgorithmAgent(algorithm), env, task, scratch.replicates)


def _scratch_of(entry: SuiteEntry) -> ScratchSettings:
    assert entry.scratch is not None  # without it the entry has no run key of this method
    return entry.scratch
