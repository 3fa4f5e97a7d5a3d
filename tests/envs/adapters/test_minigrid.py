"""The MiniGrid adapter against MiniGrid; skipped without the extra `minigrid`."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl import registry
from metarl.core.environment import Environment

pytest.importorskip("minigrid", reason="pip install '.[minigrid]'")
pytestmark = pytest.mark.filterwarnings("ignore")  # MiniGrid warns on import
ADDRESS = "metarl.envs.adapters.minigrid:"


@pytest.mark.parametrize("name", ["DOOR_KEY", "FOUR_ROOMS"])
def test_steps_equal_those_of_gymnasium_environments(name):
    distribution, n = registry.find("distribution", ADDRESS + name), 3
    tasks = distribution.tasks("test", n)
    env: Any = Environment(distribution, n)
    env.assign(tasks)
    env.seed(0)
    obs = env.reset()
    references = [gym.make(distribution.settings["id"], max_steps=100).unwrapped for _ in range(n)]
    levels = tasks.params["level"].tolist()
    first = [e.reset(seed=level)[0]["image"] for e, level in zip(references, levels, strict=True)]
    np.testing.assert_array_equal(obs.numpy(), first)
    assert obs.dtype == torch.uint8
    rng = np.random.default_rng(0)
    for _ in range(60):
        action = rng.integers(env.action_space.n, size=n)
        step = env.step(torch.from_numpy(action))
        expected = [e.step(int(a)) for e, a in zip(references, action, strict=True)]
        np.testing.assert_array_equal(step.obs.numpy(), [obs["image"] for obs, *_ in expected])
        assert step.reward.tolist() == pytest.approx([reward for _, reward, *_ in expected])
        assert step.terminated.tolist() == [terminated for _, _, terminated, *_ in expected]
        if step.terminated.any():
            break
    assert env.render(0, 64, 64).shape == (64, 64, 3)
    assert distribution.simulated_world.fingerprint()["minigrid"]
    env.close()


def test_inactive_environments_are_not_stepped():
    distribution = registry.find("distribution", ADDRESS + "DOOR_KEY")
    env = Environment(distribution, 2)
    env.assign(distribution.tasks("train", 2))
    env.seed(0)
    before = env.reset()
    after = env.step(torch.tensor([0, 0]), torch.tensor([True, False])).obs
    assert torch.equal(before[1], after[1])
    assert not torch.equal(before[0], after[0])
