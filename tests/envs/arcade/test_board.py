"""What all arcade games share: planes and pixels agree, the state is in what is seen, wrong keys are flagged."""

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
    """Environments under random actions, before each step and after the last."""
    family = metarl.get(name)
    env = Environment(family, B)
    env.assign(family.tasks("train", B) if tasks is None else tasks)
    env.seed(0)
    env.reset()
    g, space = torch.Generator().manual_seed(0), cast(Any, env.action_space)
    for _ in range(steps):
        yield env
        moved = env.step(torch.randint(int(space.n), (B,), generator=g))
        env.reset(moved.terminated | moved.truncated)
    yield env


def lights(game) -> np.ndarray:
    """[C, CELL * CELL * 3]: each plane's sprite in its colour."""
    shine = [np.array([[c == "#" for c in row] for row in SPRITES[p.sprite]]) for p in game.planes]
    return np.stack([np.multiply.outer(s, p.colour).ravel() for s, p in zip(shine, game.planes, strict=True)])


@every
def test_planes_can_be_read_off_the_pixels(name):
    """By least squares, cell by cell: lights add up, none is clipped, and no two kinds of object look alike."""
    light = lights(metarl.get(name).simulated_world)
    for env in play(name, steps=40):
        board = env.simulation.board().reshape(-1, len(light)).numpy()
        assert (board @ light).max() <= 255
        picture = env.simulation.pixels()
        cells = (
            picture.numpy().reshape(B, SIZE, CELL, SIZE, CELL, 3).transpose(0, 1, 3, 2, 4, 5).reshape(-1, CELL**2 * 3)
        )
        assert np.abs(cells - board @ light).max() <= 1.5  # each light is rounded
        read, *_ = np.linalg.lstsq(light.T, cells.T.astype(float), rcond=None)
        np.testing.assert_array_equal((read.T * 16).round() / 16, board)
        assert torch.equal(env._observe(), picture if env.simulation.in_pixels else env.simulation.board())


@every
def test_what_is_seen_and_the_task_make_a_markov_state(name):
    """Under one task no two states look alike, so what happens next is in what is seen."""
    states = {}
    for env in play(name, tasks=metarl.get(name).tasks("train", 1)):
        board = env.simulation.board()
        for i in range(B):
            seen = board[i].numpy().tobytes()
            state = [(key, values[i].tolist()) for key, values in sorted(env.simulation._state.items())]
            assert states.setdefault(seen, state) == state
    assert len(states) > 100


@every
def test_a_key_there_is_not_is_flagged_and_the_first_one_is_pressed_instead(name):
    env, other = next(play(name)), next(play(name))
    wrong = torch.arange(B) - 2
    n = int(env.action_space.n)
    bad = (wrong < 0) | (wrong >= n)
    a, b = env.step(wrong), other.step(torch.where(bad, 0, wrong))
    assert torch.equal(a.obs, b.obs)
    assert torch.equal(a.flags, bad * NAN_ACTION)
    assert not b.flags.any()


def test_pixels_and_planes_are_the_same_game():
    for a, b in zip(
        play("Catch", tasks=metarl.get("Catch").tasks("train", B)),
        play("CatchPixels", tasks=metarl.get("Catch").tasks("train", B)),
        strict=True,
    ):
        assert torch.equal(a.simulation.board(), b.simulation.board())


def test_wrong_settings_name_the_cure():
    for settings, message in (({"observation": "pixel"}, "did you mean 'pixels'"), ({"frames": 4}, "observation")):
        family = metarl.TaskDistribution("Bad", "Catch", {"speed": metarl.Integers(1, 2)}, settings=settings)
        with pytest.raises(metarl.MetarlError, match=message):
            family.make()
    with pytest.raises(metarl.MetarlError, match="leave goal out"):
        metarl.TaskDistribution("Bad", "Catch", {"speed": metarl.Integers(1, 2)}, goal="velocity").make()
    with pytest.raises(metarl.MetarlError, match="no physics engine"):
        metarl.get("Catch").make(engine="warp")


def test_the_picture_is_that_of_the_agent_enlarged():
    env = next(play("BreakoutPixels"))
    picture = env.render(3, 80, 120)
    assert picture.shape == (120, 80, 3)
    np.testing.assert_array_equal(picture[::3, ::2], env._observe()[3].numpy())


def test_a_cleared_block_is_followed_by_another():
    game: Any = metarl.get("Invaders").simulated_world
    env = next(play("Invaders"))
    shot = {
        "aliens": env.episode * 0 + 1,
        "shot_row": env.episode * 0 + 1,
        "shot_column": env.simulation._state["left"],
    }
    moved = game.move({**env.simulation._state, **shot}, env.episode * 0 + 1, env.simulation.task, env._random())
    assert (moved.terms["aliens"] == env.simulation.task["value"][:, 0]).all()
    assert (moved.state["aliens"] == 2**24 - 1).all()
    assert (moved.state["top"] == 0).all()


@pytest.mark.parametrize("looks", [False, True])
def test_columns_are_filled_bit_by_bit(looks) -> None:
    columns = torch.randint(1 << SIZE, (B, SIZE)) * (torch.rand(B, SIZE) < 0.3)
    value = torch.rand(B) + 0.5
    canvas = Planes(B, 3, torch.device("cpu"), looks)
    canvas.fill(1, columns, value)
    for env, row, column in np.ndindex(B, SIZE, SIZE):
        there = bool(columns[env, column] >> row & 1)
        assert canvas.board[env, row, column].tolist() == [0, float(value[env]) * there, 0]


@every
def test_boards_that_begin_anew_are_drawn_alone(name) -> None:
    """After a reset of few environments, states and observations are those that a reset of each alone gives."""
    family = metarl.get(name)
    whole, alone = Environment(family, 12), Environment(family, 12)
    for env in (whole, alone):
        env.assign(family.tasks("train", 12))
        env.seed(3)
        env.reset()
    for few in ([], [0], [3, 4, 11], list(range(12))):
        for _ in range(7):
            first, second = (env.step(torch.arange(12) % 3).obs for env in (whole, alone))
            assert torch.equal(first, second)
        before = whole.simulation.observe().clone()
        mask = torch.zeros(12, dtype=torch.bool)
        mask[few] = True
        seen = whole.reset(mask)
        for i in few:
            alone.reset(torch.arange(12) == i)
        simulation = cast(Any, alone.simulation)
        assert torch.equal(seen, simulation.pixels() if simulation.in_pixels else simulation.board())
        assert torch.equal(seen[~mask], before[~mask])
