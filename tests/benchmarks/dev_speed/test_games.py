"""`dev_speed games`: its sides, the processes among which environments are divided, and the plain Python baseline."""

import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

import metarl
from metarl import MetarlError
from metarl.benchmarks.dev_speed.games import GameSpeedOptions, open_sides, run
from metarl.benchmarks.dev_speed.plain_grid import PlainGridNavi
from metarl.benchmarks.dev_speed.processes import measure_in_processes
from metarl.benchmarks.dev_speed.tensor_env import RestartingEnvironment, TensorEnvironment, busy_tensor_env


def test_plain_grid_navi_has_the_rules_of_grid_navi():
    check_env(PlainGridNavi(), skip_render_check=True)
    env, plain = metarl.get("GridNavi").make(1), PlainGridNavi(goal=(2, 3))
    obs = env.begin({"goal": (2, 3)})
    actions = np.random.default_rng(0).integers(5, size=60)
    actions[:5] = 1, 1, 1, 2, 2
    for t, action in enumerate(actions):
        if t % 15 == 0:
            np.testing.assert_array_equal(obs[0].numpy(), plain.reset()[0])
        step = env.step(torch.tensor([action]))
        plain_obs, reward, _, truncated, _ = plain.step(action)
        np.testing.assert_array_equal(step.final_obs[0].numpy(), plain_obs)
        assert float(step.reward[0]) == pytest.approx(reward)
        assert bool(step.truncated[0]) == truncated
        obs = step.obs


SMALL = {"num_envs": 8, "gymnasium_envs": 2, "rounds": 1, "seconds": 0.0, "peers": False}


def test_games_prints_one_line_per_side(capsys):
    run(GameSpeedOptions(("GridNavi", "Bandit5N10"), processes=1, **SMALL))
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == "8 environments in 1 processes, one thread each"
    assert [line.split()[0] for line in lines] == ["GridNavi", "Bandit5N10", "GridNavi"]
    assert all("million a second" in line for line in lines)


def test_a_missing_gymnax_is_printed_as_left_out(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnax", None)
    run(GameSpeedOptions(("Bandit5N10",), processes=1, **{**SMALL, "peers": True}))
    assert "left out: gymnax" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.slow
def test_samples_of_processes_are_summed():
    options = GameSpeedOptions(("GridNavi",), processes=2, **SMALL)
    samples = measure_in_processes(partial(open_sides, options), 2, rounds=2, seconds=0.0)
    assert list(samples) == ["GridNavi", options.baseline]
    (first, second), trial = samples["GridNavi"], 8 * 15 * 4
    for sample in (first, second):  # at most as fast as both processes, faster than the slower one
        assert trial / 2 < sample.steps
    unknown = replace(options, distributions=("Nowhere",))
    with pytest.raises(MetarlError, match="unknown distribution 'Nowhere'"):
        measure_in_processes(partial(open_sides, unknown), 2, rounds=1, seconds=0.0)


def test_processes_that_do_not_divide_the_environments_are_an_error():
    with pytest.raises(MetarlError, match="num_envs 9 must be a multiple of the processes, 2"):
        GameSpeedOptions(num_envs=9, processes=2)


def test_no_environment_rests_where_episodes_end_early():
    """Random actions soon lose the ball in Breakout, so there are many episodes."""
    side = busy_tensor_env(metarl.get("Breakout"), 4)
    assert isinstance(side, RestartingEnvironment)
    assert side.work() == 4 * side.env.horizon * side.distribution.episodes
    assert (side.env.episode > side.distribution.episodes).all()
    assert isinstance(busy_tensor_env(metarl.get("Bandit5N10"), 4), TensorEnvironment)
