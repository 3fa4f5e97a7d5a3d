"""Every game is played beside a plain retelling of its rules: one board at a time, written with loops and branches."""

from typing import Any

import numpy as np
import pytest
import torch

import metarl
from metarl.core.environment import Environment
from metarl.core.rng import CounterRNG, stream

SEED = 11


class Dice:
    """The numbers the world draws for one environment in one step."""

    def __init__(self, key: int, episode: int, time: int) -> None:
        self.counted = CounterRNG(stream(SEED, torch.tensor([key])), episode, time)

    def integer(self, purpose: str, high: int) -> int:
        return int(self.counted.integers(purpose, high))


@pytest.fixture
def agrees():
    """agrees(distribution, Rules): the world and the rules told plainly say the same, whatever is pressed.

    Rules(task, dice) starts an episode; `step(action, dice) -> (reward, over)`; `planes() -> [10, 10, C]`.
    """

    def run(name, rules, steps=150, num_envs=8, odds=None):
        family = metarl.get(name)
        random = np.random.default_rng(0)
        seen = {"reward": set(), "over": set()}
        for split in ("train", "ood"):
            tasks = family.tasks(split, num_envs)
            env: Any = Environment(family, num_envs)
            env.assign(tasks)
            env.seed(SEED)
            obs = env.reset()
            each = [rules(tasks.task(i), Dice(i, 0, 0)) for i in range(num_envs)]
            for _ in range(steps):
                np.testing.assert_array_equal(obs.numpy(), np.stack([game.planes() for game in each]))
                clock = [(int(env.episode[i]), int(env.time[i])) for i in range(num_envs)]
                action = random.choice(env.action_space.n, num_envs, p=odds)
                moved = env.step(torch.from_numpy(action))
                told = [game.step(int(action[i]), Dice(i, *clock[i])) for i, game in enumerate(each)]
                np.testing.assert_allclose(moved.reward.numpy(), [reward for reward, _ in told], rtol=1e-6)
                assert moved.terminated.tolist() == [over for _, over in told]
                seen["reward"] |= {reward for reward, _ in told}
                seen["over"] |= {over for _, over in told}
                ended = moved.terminated | moved.truncated
                obs = env.reset(ended)
                for i in torch.nonzero(ended).flatten().tolist():
                    each[i] = rules(tasks.task(i), Dice(i, int(env.episode[i]), 0))
        return seen

    return run
