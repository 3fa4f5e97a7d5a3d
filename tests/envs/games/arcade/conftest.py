"""A fixture that compares each game with a plain implementation of its rules for one board."""

from typing import Any

import numpy as np
import pytest
import torch

import metarl
from metarl.core.environment import Environment
from metarl.core.rng import CounterRNG, stream

SEED = 11


class StepRandom:
    """The random numbers of one environment in one step."""

    def __init__(self, key: int, episode: int, time: int) -> None:
        self.rng = CounterRNG(stream(SEED, torch.tensor([key])), episode, time)

    def integer(self, purpose: str, high: int) -> int:
        return int(self.rng.integers(purpose, high))


@pytest.fixture
def compare_with_rules():
    """compare_with_rules(distribution, Rules): play random actions and return all values of reward and terminated.

    Rules(task, random) starts an episode; `step(action, random)` returns reward and terminated; `planes()` returns
    the observation [10, 10, C].
    """

    def run(name, rules, steps=150, num_envs=8, odds=None):
        distribution = metarl.get(name)
        g = np.random.default_rng(0)
        values = {"reward": set(), "terminated": set()}
        for split in ("train", "ood"):
            tasks = distribution.tasks(split, num_envs)
            env: Any = Environment(distribution, num_envs)
            env.assign(tasks)
            env.seed(SEED)
            obs = env.reset()
            games = [rules(tasks.task(i), StepRandom(i, 0, 0)) for i in range(num_envs)]
            for _ in range(steps):
                np.testing.assert_array_equal(obs.numpy(), np.stack([game.planes() for game in games]))
                clock = [(int(env.episode[i]), int(env.time[i])) for i in range(num_envs)]
                action = g.choice(env.action_space.n, num_envs, p=odds)
                step = env.step(torch.from_numpy(action))
                expected = [game.step(int(action[i]), StepRandom(i, *clock[i])) for i, game in enumerate(games)]
                np.testing.assert_allclose(step.reward.numpy(), [reward for reward, _ in expected], rtol=1e-6)
                assert step.terminated.tolist() == [terminated for _, terminated in expected]
                values["reward"] |= {reward for reward, _ in expected}
                values["terminated"] |= {terminated for _, terminated in expected}
                ended = step.terminated | step.truncated
                obs = env.reset(ended)
                for i in torch.nonzero(ended).flatten().tolist():
                    games[i] = rules(tasks.task(i), StepRandom(i, int(env.episode[i]), 0))
        return values

    return run
