"""The speed of games: the plain environment they are measured beside has the same rules."""

import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

import metarl
from metarl.benchmarks.speed.games import SpeedGamesOptions, run
from metarl.benchmarks.speed.plain_grid import PlainGridNavi


def test_plain_grid_navi_is_grid_navi():
    check_env(PlainGridNavi(), skip_render_check=True)
    env, plain = metarl.get("GridNavi").make(1), PlainGridNavi(goal=(2, 3))
    obs = env.begin({"goal": (2, 3)})
    actions = np.random.default_rng(0).integers(5, size=60)
    actions[:5] = 1, 1, 1, 2, 2
    for t, action in enumerate(actions):
        if t % 15 == 0:
            np.testing.assert_array_equal(obs[0].numpy(), plain.reset()[0])
        step = env.step(torch.tensor([action]))
        seen, reward, _, truncated, _ = plain.step(action)
        np.testing.assert_array_equal(step.final_obs[0].numpy(), seen)
        assert float(step.reward[0]) == pytest.approx(reward)
        assert bool(step.truncated[0]) == truncated
        obs = step.obs


def test_the_command_prints_a_line_a_side(capsys):
    run(SpeedGamesOptions(("GridNavi", "Bandit5N10"), num_envs=8, gymnasium_envs=2, rounds=1, seconds=0.0))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["GridNavi", "Bandit5N10", "GridNavi"]
    assert all("million a second" in line for line in lines)
