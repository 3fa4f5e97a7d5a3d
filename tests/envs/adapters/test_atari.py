"""The Atari adapter; skipped without the extra `atari`."""

from typing import Any

import numpy as np
import pytest
import torch

import metarl
from metarl import registry
from metarl.core.environment import Environment

ale_py = pytest.importorskip("ale_py", reason="pip install '.[atari]'")
ADDRESS = "metarl.envs.adapters.atari:"


def make_env(distribution, tasks, keys=None):
    env = Environment(distribution, len(tasks))
    env.assign(tasks)
    env.seed(0, keys)
    return env, env.reset()


@pytest.mark.parametrize("name", ["BREAKOUT", "SPACE_INVADERS"])
def test_tasks_are_available_modes_and_difficulties(name):
    distribution = registry.find("distribution", ADDRESS + name)
    console = ale_py.ALEInterface()
    console.loadROM(ale_py.roms.get_rom_path(distribution.settings["game"]))
    for split in distribution.splits:
        tasks = distribution.tasks(split, 40).params
        assert set(tasks["mode"].tolist()) <= set(console.getAvailableModes())
        assert set(tasks["difficulty"].tolist()) <= set(console.getAvailableDifficulties())


def test_equal_keys_give_equal_games_and_modes_differ():
    distribution = registry.find("distribution", ADDRESS + "BREAKOUT")
    tasks = metarl.TaskSet({"mode": [0, 0, 12], "difficulty": [0, 0, 0]})
    env, first = make_env(distribution, tasks, keys=torch.zeros(3, dtype=torch.int64))
    assert torch.equal(first[0], first[1])
    assert not torch.equal(first[0], first[2])  # another arrangement of bricks
    space: Any = env.action_space
    rng, score = np.random.default_rng(0), torch.zeros(3)
    for _ in range(200):
        step = env.step(torch.full((3,), int(rng.integers(space.n))))
        assert torch.equal(step.obs[0], step.obs[1])
        assert step.reward[0] == step.reward[1]
        assert env.observation_space.contains(step.obs[0].numpy())
        score += step.reward
    assert score.max() > 0
    assert env.render(0, 80, 105).shape == (105, 80, 3)
    assert distribution.simulated_world.fingerprint()["ale-py"] == ale_py.__version__


def test_unavailable_mode_and_unknown_rom_raise():
    distribution = registry.find("distribution", ADDRESS + "BREAKOUT")
    with pytest.raises(metarl.MetarlError, match=r"no mode 3: choose among \[0, 4"):
        make_env(distribution, distribution.task_set({"mode": 3, "difficulty": 0}))
    other = metarl.TaskDistribution("T", "Atari", {"mode": metarl.Integers(0, 1)}, settings={"game": "brakout"})
    with pytest.raises(metarl.MetarlError, match="brakout"):
        other.make()
