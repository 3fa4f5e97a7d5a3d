"""Properties of all arcade games: planes equal pixels, observations determine states, invalid actions are flagged."""

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pytest
import torch

import metarl
from metarl import registry
from metarl.core.environment import Environment
from metarl.core.simulation import NAN_ACTION
from metarl.envs.games.arcade.board import SIZE, Planes
from metarl.envs.games.arcade.game import ArcadeGame
from metarl.envs.games.arcade.screen import CELL, SPRITES

B = 8
NAMES = [n for n in registry.names("distribution") if isinstance(metarl.get(n).simulated_world, ArcadeGame)]
every = pytest.mark.parametrize("name", NAMES)


def play(name, steps=100, tasks=None) -> Iterator[Any]:
    """Yield the environments under random actions, before each step and after the last."""
    distribution = metarl.get(name)
    env = Environment(distribution, B)
    env.assign(distribution.tasks("train", B) if tasks is None else tasks)
    env.seed(0)
    env.reset()
    g, space = torch.Generator().manual_seed(0), cast(Any, env.action_space)
    for _ in range(steps):
        yield env
        step = env.step(torch.randint(int(space.n), (B,), generator=g))
        env.reset(step.terminated | step.truncated)
    yield env


def lights(game) -> np.ndarray:
    """Return each plane's sprite in its colour, [C, CELL * CELL * 3]."""
    lit = [np.array([[c == "#" for c in row] for row in SPRITES[p.sprite]]) for p in game.planes]
    return np.stack([np.multiply.outer(s, p.colour).ravel() for s, p in zip(lit, game.planes, strict=True)])


@every
def test_planes_can_be_recovered_from_the_pixels(name):
    """Solve by least squares per cell: colours add up without clipping, and kinds of objects are distinguishable."""
    light = lights(metarl.get(name).simulated_world)
    for env in play(name, steps=40):
        board = env.simulation.board().reshape(-1, len(light)).numpy()
        assert (board @ light).max() <= 255
        picture = env.simulation.pixels()
        cells = (
            picture.numpy().reshape(B, SIZE, CELL, SIZE, CELL, 3).transpose(0, 1, 3, 2, 4, 5).reshape(-1, CELL**2 * 3)
        )
        assert np.abs(cells - board @ light).max() <= 1.5  # each colour is rounded
        recovered, *_ = np.linalg.lstsq(light.T, cells.T.astype(float), rcond=None)
        np.testing.assert_array_equal((recovered.T * 16).round() / 16, board)
        assert torch.equal(env._observe(), picture if env.simulation.in_pixels else env.simulation.board())


@every
def test_observation_determines_the_state_under_one_task(name):
    states = {}
    for env in play(name, tasks=metarl.get(name).tasks("train", 1)):
        board = env.simulation.board()
        for i in range(B):
            observation = board[i].numpy().tobytes()
            state = [(key, values[i].tolist()) for key, values in sorted(env.simulation._state.items())]
            assert states.setdefault(observation, state) == state
    assert len(states) > 100


@every
def test_invalid_action_is_flagged_and_replaced_by_action_0(name):
    env, other = next(play(name)), next(play(name))
    action = torch.arange(B) - 2
    n = int(env.action_space.n)
    invalid = (action < 0) | (action >= n)
    a, b = env.step(action), other.step(torch.where(invalid, 0, action))
    assert torch.equal(a.obs, b.obs)
    assert torch.equal(a.flags, invalid * NAN_ACTION)
    assert not b.flags.any()


def test_pixels_and_planes_are_the_same_game():
    for a, b in zip(
        play("Catch", tasks=metarl.get("Catch").tasks("train", B)),
        play("CatchPixels", tasks=metarl.get("Catch").tasks("train", B)),
        strict=True,
    ):
        assert torch.equal(a.simulation.board(), b.simulation.board())


def test_invalid_settings_raise():
    for settings, message in (({"observation": "pixel"}, "did you mean 'pixels'"), ({"frames": 4}, "observation")):
        distribution = metarl.TaskDistribution("Bad", "Catch", {"speed": metarl.Integers(1, 2)}, settings=settings)
        with pytest.raises(metarl.MetarlError, match=message):
            distribution.make()
    with pytest.raises(metarl.MetarlError, match="leave goal out"):
        metarl.TaskDistribution("Bad", "Catch", {"speed": metarl.Integers(1, 2)}, goal="velocity").make()
    with pytest.raises(metarl.MetarlError, match="no physics engine"):
        metarl.get("Catch").make(engine="warp")


def test_render_enlarges_the_pixel_observation():
    env = next(play("BreakoutPixels"))
    picture = env.render(3, 80, 120)
    assert picture.shape == (120, 80, 3)
    np.testing.assert_array_equal(picture[::3, ::2], env._observe()[3].numpy())


def test_cleared_block_is_replaced_by_a_new_one():
    game: Any = metarl.get("Invaders").simulated_world
    env = next(play("Invaders"))
    one = torch.ones_like(env.episode)
    last_alien = {"aliens": one, "shot_row": one, "shot_column": env.simulation._state["left"]}
    move = game.move({**env.simulation._state, **last_alien}, one, env.simulation.task, env._random())
    assert (move.terms["aliens"] == env.simulation.task["value"][:, 0]).all()
    assert (move.state["aliens"] == 2**24 - 1).all()
    assert (move.state["top"] == 0).all()


@pytest.mark.parametrize("eager", [False, True])
def test_fill_draws_the_bits_of_each_column(eager) -> None:
    columns = torch.randint(1 << SIZE, (B, SIZE)) * (torch.rand(B, SIZE) < 0.3)
    value = torch.rand(B) + 0.5
    canvas = Planes(B, 3, torch.device("cpu"), eager)
    canvas.fill(1, columns, value)
    for env, row, column in np.ndindex(B, SIZE, SIZE):
        bit = bool(columns[env, column] >> row & 1)
        assert canvas.board[env, row, column].tolist() == [0, float(value[env]) * bit, 0]


@every
def test_partial_reset_equals_resets_one_by_one(name) -> None:
    """Resets of few environments use another code path than resets of many."""
    distribution = metarl.get(name)
    whole, single = Environment(distribution, 12), Environment(distribution, 12)
    for env in (whole, single):
        env.assign(distribution.tasks("train", 12))
        env.seed(3)
        env.reset()
    for few in ([], [0], [3, 4, 11], list(range(12))):
        for _ in range(7):
            first, second = (env.step(torch.arange(12) % 3).obs for env in (whole, single))
            assert torch.equal(first, second)
        before = whole.simulation.observe().clone()
        mask = torch.zeros(12, dtype=torch.bool)
        mask[few] = True
        obs = whole.reset(mask)
        for i in few:
            single.reset(torch.arange(12) == i)
        simulation = cast(Any, single.simulation)
        assert torch.equal(obs, simulation.pixels() if simulation.in_pixels else simulation.board())
        assert torch.equal(obs[~mask], before[~mask])
