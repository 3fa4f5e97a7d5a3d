"""This package's tensor environment alone, with random actions."""

from __future__ import annotations

import torch

from metarl.benchmarks.commands.speed import RandomTrials
from metarl.benchmarks.dev_speed.actions import random_actions
from metarl.benchmarks.dev_speed.side import Side
from metarl.tasks.task_distribution import TaskDistribution


class TensorEnvironment(RandomTrials, Side):
    """Whole trials on new tasks."""


class RestartingEnvironment(Side):
    """The number of steps of a trial, on new tasks. An environment starts its next episode at once, so none rests."""

    def __init__(self, distribution: TaskDistribution, num_envs: int) -> None:
        self.distribution = distribution
        self.env = distribution.make(num_envs).environment
        steps = distribution.horizon * distribution.episodes
        self.actions = list(torch.from_numpy(random_actions(self.env.action_space, steps, num_envs)))
        self.trial = 0

    def work(self) -> int:
        env = self.env
        env.assign(self.distribution.tasks("train", env.num_envs, self.trial))
        env.seed(self.trial)
        env.reset()
        self.trial += 1
        for action in self.actions:
            step = env.step(action)
            env.reset(step.terminated | step.truncated)
        return len(self.actions) * env.num_envs

    def close(self) -> None:
        self.env.close()


def busy_tensor_env(distribution: TaskDistribution, num_envs: int) -> Side:
    """Return whole trials if no environment rests in them, and a restarting environment otherwise."""
    env = distribution.make()
    ends_early = env.environment.simulation.may_terminate and env.horizon > 1
    env.close()
    return (RestartingEnvironment if ends_early else TensorEnvironment)(distribution, num_envs)
