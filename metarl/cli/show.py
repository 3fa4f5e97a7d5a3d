"""`metarl show DISTRIBUTION`: pictures or a video of sampled tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
import tyro

from metarl import registry
from metarl.checks import check_whole
from metarl.cli import pictures
from metarl.cli.main import parse
from metarl.core.environment import Environment
from metarl.core.rng import check_seed, generator
from metarl.core.simulation import Simulation
from metarl.errors import MetarlError
from metarl.tasks.task_distribution import TaskDistribution
from metarl.tasks.task_set import TaskSet

SHEET_STEPS = 40  # largest default number of random steps before the picture


@dataclass(frozen=True)
class ShowOptions:
    """Draw sampled tasks with their parameters. Start states and actions are equal, so only the tasks differ."""

    distribution: tyro.conf.Positional[str]
    """a name, path/to/file.py:Name or package.module:Name"""
    split: str = "train"
    """train, valid, test or ood"""
    tasks: int = 9
    """number of tasks"""
    seed: int = 0
    """seed of tasks, start states and actions"""
    steps: int | None = None
    """random env steps before the picture, or in the video; by default at most 40, or an episode"""
    width: int = 240
    """width of one picture in pixels"""
    video: bool = False
    """write an mp4 of the steps instead of one picture"""
    out: str | None = None
    """path of the file; by default DISTRIBUTION.png or DISTRIBUTION.mp4 in the current directory"""

    def __post_init__(self) -> None:
        check_whole(self, "tasks", low=1)
        check_whole(self, "width", low=32)
        if self.steps is not None:
            check_whole(self, "steps", low=0)
        check_seed(self.seed)


def main(arguments: list[str]) -> None:
    """Run `metarl show`: write the file and print its path. Print worlds that are drawn as text."""
    o: ShowOptions = parse(ShowOptions, arguments, "metarl show")
    distribution: TaskDistribution = registry.find("distribution", o.distribution)
    tasks = distribution.tasks(o.split, o.tasks, o.seed)
    env = Environment(distribution, o.tasks)
    try:
        _show(o, env, tasks)
    finally:
        env.close()


def _show(o: ShowOptions, env: Environment, tasks: TaskSet) -> None:
    horizon = env.horizon
    steps = o.steps if o.steps is not None else horizon if o.video else min(horizon // 2, SHEET_STEPS)
    path = o.out or f"{env.distribution.name}{'.mp4' if o.video else '.png'}"
    if not (folder := Path(path).absolute().parent).is_dir():
        raise MetarlError(f"there is no directory {folder} to write {Path(path).name} into: make it first")
    states = _random_steps(env, tasks, o.seed, steps)
    if o.video:
        labels = _labels(tasks, o.width)
        pictures.save_video(path, [_sheet(env, labels, o.width) for _ in states], env.simulation.render_fps)
        print(path)
        return
    for _ in states:
        pass
    texts = [env.simulation.text(i) for i in range(len(tasks))]
    _print_texts(tasks, texts)
    if not any(texts) or _draws(env):
        pictures.save_picture(path, _sheet(env, _labels(tasks, o.width), o.width))
        print(path)


def _draws(env: Environment) -> bool:
    return type(env.simulation).render is not Simulation.render


def _labels(tasks: TaskSet, width: int) -> np.ndarray:
    return pictures.captions([tasks.task(i) for i in range(len(tasks))], width)


def _random_steps(env: Environment, tasks: TaskSet, seed: int, steps: int) -> Iterator[None]:
    """Yield after the reset and after each step. Environments whose episode ended keep their state."""
    env.assign(tasks)
    env.seed(seed, torch.zeros(env.num_envs, dtype=torch.int64))  # one stream for all
    env.reset()
    yield
    running = torch.ones(env.num_envs, dtype=torch.bool)
    for action in _actions(env, seed, steps):
        transition = env.step(action, running)
        running = running & ~(transition.terminated | transition.truncated)
        yield


def _actions(env: Environment, seed: int, steps: int) -> Iterator[torch.Tensor]:
    """Yield random actions that are the same for every task."""
    space: Any = env.action_space
    g = generator(seed, "show")
    for _ in range(steps):
        if isinstance(space, gym.spaces.Discrete):
            yield torch.randint(int(space.n), (), generator=g).expand(env.num_envs)
        else:
            yield (torch.rand(space.shape, generator=g) * 2 - 1).expand(env.num_envs, *space.shape)


def _sheet(env: Environment, labels: np.ndarray, width: int) -> np.ndarray:
    if not _draws(env):
        raise MetarlError(f"the world {env.distribution.world} draws no pictures: choose a distribution of another")
    drawn = np.stack([env.render(i, width, width) for i in range(env.num_envs)])
    return pictures.tile(np.concatenate([labels, drawn], 1))


def _print_texts(tasks: TaskSet, texts: list[str]) -> None:
    for i, text in enumerate(texts):
        if text:
            print("\n".join([*pictures.caption(tasks.task(i), 640), text, ""]))
