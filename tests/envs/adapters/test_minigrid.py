"""MiniGrid behind the contract; skipped where the extra `minigrid` is not installed."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl import registry
from metarl.core.environment import Environment

pytest.importorskip("minigrid", reason="pip install 'metarl[minigrid]'")
pytestmark = pytest.mark.filterwarnings("ignore")  # MiniGrid's own
ADDRESS = "metarl.envs.adapters.minigrid:"


@pytest.mark.parametrize("name", ["DOOR_KEY", "FOUR_ROOMS"])
def test_it_is_what_gymnasium_makes(name):
    family, n = registry.find("distribution", ADDRESS + name), 3
    tasks = family.tasks("test", n)
    env: Any = Environment(family, n)
    env.assign(tasks)
    env.seed(0)
    obs = env.reset()
    theirs = [gym.make(family.settings["id"], max_steps=100).unwrapped for _ in range(n)]
    first = [e.reset(seed=level)[0]["image"] for e, level in zip(theirs, tasks.params["level"].tolist(), strict=True)]
    np.testing.assert_array_equal(obs.numpy(), first)
    assert obs.dtype == torch.uint8
    rng = np.random.default_rng(0)
    for _ in range(60):
        action = rng.integers(env.action_space.n, size=n)
        moved = env.step(torch.from_numpy(action))
        told = [e.step(int(a)) for e, a in zip(theirs, action, strict=True)]
        np.testing.assert_array_equal(moved.obs.numpy(), [obs["image"] for obs, *_ in told])
        assert moved.reward.tolist() == pytest.approx([reward for _, reward, *_ in told])
        assert moved.terminated.tolist() == [over for _, _, over, *_ in told]
        if moved.terminated.any():
            break
    assert env.render(0, 64, 64).shape == (64, 64, 3)
    assert family.simulated_world.fingerprint()["minigrid"]
    env.close()


def test_those_at_rest_are_left_alone():
    family = registry.find("distribution", ADDRESS + "DOOR_KEY")
    env = Environment(family, 2)
    env.assign(family.tasks("train", 2))
    env.seed(0)
    before = env.reset()
    after = env.step(torch.tensor([0, 0]), torch.tensor([True, False])).obs
    assert torch.equal(before[1], after[1])
    assert not torch.equal(before[0], after[0])
