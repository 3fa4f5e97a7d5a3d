"""The speed of games: the plain environment they are measured beside has the same rules."""

import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

import metarl
from metarl import MetarlError
from metarl.benchmarks.dev_speed.games import SpeedGamesOptions, open_sides, run
from metarl.benchmarks.dev_speed.plain_grid import PlainGridNavi
from metarl.benchmarks.dev_speed.together import measure_together
from metarl.benchmarks.dev_speed.tensors import RestartingEnvironment, TensorEnvironment, tensor_side


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


SMALL = {"num_envs": 8, "gymnasium_envs": 2, "rounds": 1, "seconds": 0.0, "peers": False}


def test_the_command_prints_a_line_a_side(capsys):
    run(SpeedGamesOptions(("GridNavi", "Bandit5N10"), processes=1, **SMALL))
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == "8 environments in 1 processes, one thread each"
    assert [line.split()[0] for line in lines] == ["GridNavi", "Bandit5N10", "GridNavi"]
    assert all("million a second" in line for line in lines)


def test_a_peer_that_is_not_installed_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnax", None)
    run(SpeedGamesOptions(("Bandit5N10",), processes=1, **{**SMALL, "peers": True}))
    assert "left out: gymnax" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.slow
def test_processes_share_the_environments_and_their_steps_add_up():
    options = SpeedGamesOptions(("GridNavi",), processes=2, **SMALL)
    samples = measure_together(partial(open_sides, options), 2, rounds=2, seconds=0.0)
    assert list(samples) == ["GridNavi", options.plain]
    (first, second), trial = samples["GridNavi"], 8 * 15 * 4
    for sample in (first, second):  # the slower of two halves, at most as fast as both
        assert trial / 2 < sample.steps
    with pytest.raises(MetarlError, match="unknown distribution 'Nowhere'"):
        measure_together(partial(open_sides, replace(options, distributions=("Nowhere",))), 2, rounds=1, seconds=0.0)


def test_environments_are_shared_out_evenly():
    with pytest.raises(MetarlError, match="num_envs 9 must be a multiple of the processes, 2"):
        SpeedGamesOptions(num_envs=9, processes=2)


def test_where_episodes_end_early_every_step_counts():
    """Random paddles lose the ball soon: many episodes, and no environment at rest."""
    side = tensor_side(metarl.get("Breakout"), 4)
    assert isinstance(side, RestartingEnvironment)
    assert side.work() == 4 * side.env.horizon * side.distribution.episodes
    assert (side.env.episode > side.distribution.episodes).all()
    assert isinstance(tensor_side(metarl.get("Bandit5N10"), 4), TensorEnvironment)
