"""Our tensor environment alone: whole trials of random actions, each on new tasks."""

from __future__ import annotations

import torch

from metarl.benchmarks.dev_speed.actions import random_actions
from metarl.benchmarks.dev_speed.timing import Side
from metarl.tasks.task_distribution import TaskDistribution


class TensorEnvironment(Side):
    """Everything a trial takes is inside the clock: drawing tasks, beginning, stepping, resetting between episodes."""

    def __init__(self, distribution: TaskDistribution, num_envs: int) -> None:
        self.distribution = distribution
        self.env = distribution.make(num_envs)
        steps = self.env.horizon * self.env.episodes
        self.actions = list(torch.from_numpy(random_actions(self.env.action_space, steps, num_envs)))
        self.trial = 0

    def work(self) -> int:
        env = self.env
        env.begin(self.distribution.tasks("train", env.num_envs, self.trial), self.trial)
        self.trial += 1
        resting = []
        for action in self.actions:
            resting.append(env.step(action).resting)
            if env.done:
                break
        return len(resting) * env.num_envs - int(torch.stack(resting).sum())

    def close(self) -> None:
        self.env.close()


class RestartingEnvironment(Side):
    """The same where an episode may end early: each environment begins its next one at once, so that none rests.

    As many steps as a trial has, on new tasks.
    """

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


def tensor_side(distribution: TaskDistribution, num_envs: int) -> Side:
    """Trials where nobody rests in them, restarts otherwise."""
    env = distribution.make()
    ends_early = env.environment.simulation.may_terminate and env.horizon > 1
    env.close()
    return (RestartingEnvironment if ends_early else TensorEnvironment)(distribution, num_envs)
