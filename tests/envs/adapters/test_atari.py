"""Atari behind the contract; skipped where the extra `atari` is not installed."""

from typing import Any

import numpy as np
import pytest
import torch

import metarl
from metarl import registry
from metarl.core.environment import Environment

ale_py = pytest.importorskip("ale_py", reason="pip install 'metarl[atari]'")
ADDRESS = "metarl.envs.adapters.atari:"


def begun(family, tasks, keys=None):
    env = Environment(family, len(tasks))
    env.assign(tasks)
    env.seed(0, keys)
    return env, env.reset()


@pytest.mark.parametrize("name", ["BREAKOUT", "SPACE_INVADERS"])
def test_every_task_is_a_variant_the_cartridge_has(name):
    family = registry.find("distribution", ADDRESS + name)
    console = ale_py.ALEInterface()
    console.loadROM(ale_py.roms.get_rom_path(family.settings["game"]))
    for split in family.splits:
        tasks = family.tasks(split, 40).params
        assert set(tasks["mode"].tolist()) <= set(console.getAvailableModes())
        assert set(tasks["difficulty"].tolist()) <= set(console.getAvailableDifficulties())


def test_the_same_key_gives_the_same_game_and_modes_differ():
    family = registry.find("distribution", ADDRESS + "BREAKOUT")
    tasks = metarl.TaskSet({"mode": [0, 0, 12], "difficulty": [0, 0, 0]})
    env, first = begun(family, tasks, keys=torch.zeros(3, dtype=torch.int64))
    assert torch.equal(first[0], first[1])
    assert not torch.equal(first[0], first[2])  # a wall of another build
    space: Any = env.action_space
    rng, earned = np.random.default_rng(0), torch.zeros(3)
    for _ in range(200):
        moved = env.step(torch.full((3,), int(rng.integers(space.n))))
        assert torch.equal(moved.obs[0], moved.obs[1])
        assert moved.reward[0] == moved.reward[1]
        assert env.observation_space.contains(moved.obs[0].numpy())
        earned += moved.reward
    assert earned.max() > 0
    assert env.render(0, 80, 105).shape == (105, 80, 3)
    assert family.simulated_world.fingerprint()["ale-py"] == ale_py.__version__


def test_mistakes_name_the_cure():
    family = registry.find("distribution", ADDRESS + "BREAKOUT")
    with pytest.raises(metarl.MetarlError, match=r"no mode 3: choose among \[0, 4"):
        begun(family, family.task_set({"mode": 3, "difficulty": 0}))
    other = metarl.TaskDistribution("T", "Atari", {"mode": metarl.Integers(0, 1)}, settings={"game": "brakout"})
    with pytest.raises(metarl.MetarlError, match="brakout"):
        other.make()
