"""The small worlds against their rules told again in plain Python, step by step."""

from typing import Any

import numpy as np
import pytest
import torch

import metarl
from metarl.core.trials import Step, Trials
from metarl.envs.games.game import ruled

B = 6


def lived(env: Trials, tasks, choose, seed: int = 0) -> tuple[list[torch.Tensor], list[torch.Tensor], list[Step]]:
    """Observations acted on, actions and steps of one trial; choose(t) -> actions."""
    obs = env.begin(tasks, seed)
    seen, done, steps = [], [], []
    while not env.done:
        action = choose(len(steps))
        seen.append(obs)
        done.append(action)
        steps.append(env.step(action))
        obs = steps[-1].obs
    return seen, done, steps


def at_random(env: Trials, seed: int = 0):
    g = torch.Generator().manual_seed(seed)
    space: Any = env.action_space
    if hasattr(space, "n"):
        return lambda t: torch.randint(int(space.n), (env.num_envs,), generator=g)
    return lambda t: torch.rand(env.num_envs, *space.shape, generator=g) * 3 - 1.5


def cell(row: torch.Tensor) -> tuple[int, int]:
    x, y = row.reshape(2, -1).argmax(1).tolist()
    return x, y


def walked(place: tuple[int, int], action: int, size: int) -> tuple[int, int]:
    dx, dy = ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0))[action]
    x, y = place[0] + dx, place[1] + dy
    return (x, y) if 0 <= x < size and 0 <= y < size else place


@pytest.mark.parametrize(("name", "size"), [("GridNavi", 5), ("GridNavi7", 7), ("DarkRoom", 9), ("DarkRoomHard", 17)])
def test_grids_are_the_walk_they_say(name, size):
    family = metarl.get(name)
    env, tasks = family.make(B), family.tasks("train", B)
    seen, actions, steps = lived(env, tasks, at_random(env))
    start = (0, 0) if "Navi" in name else (size // 2, size // 2)
    for i in range(B):
        goal, at, over = tuple(tasks.params["goal"][i].tolist()), start, False
        for t in range(len(steps)):
            if t % family.horizon == 0 and len(steps) == family.horizon * family.episodes:
                at, over = start, False
            assert cell(seen[t][i]) == at
            if over:
                assert steps[t].resting[i]
                assert steps[t].reward[i] == 0
                continue
            at = walked(at, int(actions[t][i]), size)
            assert cell(steps[t].final_obs[i]) == at
            pay = (1.0 if at == goal else -0.1) if "Navi" in name else float(at == goal)
            assert steps[t].reward[i] == np.float32(pay)
            over = name == "DarkRoomHard" and at == goal
            assert bool(steps[t].terminated[i]) == over


def test_the_goals_of_grid_navi_are_21_and_equally_frequent():
    family = metarl.get("GridNavi")
    goals, counts = np.unique(family.tasks("train", 21 * 10).params["goal"], axis=0, return_counts=True)
    assert {tuple(g) for g in goals.tolist()} == {(x, y) for x in range(5) for y in range(5) if x > 1 or y > 1}
    assert (counts == 10).all()


def test_key_then_door_each_once_and_permuted_actions():
    family = metarl.get("DarkKeyDoorPermuted")
    env = family.make(1)
    actions = [4, 0, 1, 2, 3]  # stay is action 1
    for key, door in (((0, 0), (8, 8)), ((3, 3), (3, 3))):
        obs = env.begin({"key": key, "door": door, "actions": actions})
        at, held, opened = cell(obs[0]), False, False
        while not opened:
            target = door if held else key
            wish = 2 if at[0] < target[0] else 4 if at[0] > target[0] else 1 if at[1] < target[1] else 3
            if at == target:
                wish = 0
            step = env.step(torch.tensor([actions.index(wish)]))
            at = walked(at, wish, 9)
            assert cell(step.final_obs[0]) == at
            found = at == key and not held
            held |= found
            opened = held and at == door
            assert step.reward[0] == found + opened
            assert bool(step.terminated[0]) == opened


def test_bandits_pay_as_often_as_they_should():
    n = 4000
    env = metarl.get("Bandit5N10").make(n)
    chances = np.array([0.0, 0.1, 0.5, 0.9, 1.0])
    for arm in range(5):
        *_, steps = lived(env, {"probabilities": chances}, lambda t, arm=arm: torch.full((n,), arm), seed=arm)
        assert len(steps) == 10
        assert all(step.terminated.all() for step in steps)
        pays = torch.stack([step.reward for step in steps])
        assert set(pays.unique().tolist()) <= {0.0, 1.0}
        assert abs(float(pays.mean()) - chances[arm]) <= 4 * np.sqrt(chances[arm] * (1 - chances[arm]) / pays.numel())
        if 0 < chances[arm] < 1:  # pulls of a lane are independent
            assert abs(np.corrcoef(pays[0], pays[1])[0, 1]) < 4 / np.sqrt(n)


def test_linked_arms_sum_to_one_and_gaussian_arms_have_their_moments():
    env = metarl.get("LinkedBandit2N100").make(2000)
    for arm, chance in ((0, 0.3), (1, 0.7)):
        *_, steps = lived(env, {"probability": 0.3}, lambda t, arm=arm: torch.full((2000,), arm))
        assert abs(float(torch.stack([s.reward for s in steps]).mean()) - chance) < 0.005
    env = metarl.get("GaussianBandit5N100").make(2000)
    *_, steps = lived(env, {"means": [0, 1, 2, 3, 4.0]}, lambda t: torch.full((2000,), 3))
    pays = torch.stack([s.reward for s in steps])
    assert abs(float(pays.mean()) - 3) < 0.01
    assert abs(float(pays.std()) - 1) < 0.01


def test_an_mdp_pays_and_moves_by_its_tables():
    """All lanes on one task: empirical transitions and rewards of every state and action against the task's."""
    n = 5000
    family = metarl.get("MDPN10")
    env, task = family.make(n), family.tasks("train", 1)
    seen, actions, steps = lived(env, task, at_random(env))
    assert (seen[0].argmax(1) == 0).all()
    counts, pays = np.zeros((10, 5, 10)), np.zeros((10, 5))
    for obs, action, step in zip(seen, actions, steps, strict=True):
        at = (obs.argmax(1).numpy(), action.numpy())
        np.add.at(counts, (*at, step.final_obs.argmax(1).numpy()), 1)
        np.add.at(pays, at, step.reward.numpy().astype(float))
    visits = counts.sum(2)
    assert visits.min() > 500
    z = (pays / visits - task.params["rewards"][0]) * np.sqrt(visits)  # noise N(0, 1)
    assert np.abs(z).max() < 4.5
    expected = task.params["transitions"][0] * visits[..., None]
    chi = ((counts - expected) ** 2 / expected).sum(2)  # 9 degrees of freedom, 50 times
    assert abs(chi.mean() - 9) < 4 * np.sqrt(18 / 50)


def test_points_move_and_feel():
    for name, felt in (("PointNav", None), ("PointNavSparse", 0.2), ("PointNavWind", 0.03)):
        family = metarl.get(name)
        env, tasks = family.make(B), family.tasks("train", B)
        goal = tasks.params.get("goal", np.tile([0.0, 1.0], (B, 1)))
        wind = tasks.params.get("wind", np.zeros((B, 2)))
        toward = torch.from_numpy(goal - wind * 10).float()
        noise = at_random(env)
        seen, actions, steps = lived(env, tasks, lambda t, g=toward, noise=noise: (g + noise(t)) * 0.5)
        for obs, action, step in zip(seen, actions, steps, strict=True):
            place = obs.numpy() + 0.1 * action.clamp(-1, 1).numpy() + wind
            np.testing.assert_allclose(step.final_obs.numpy(), place, atol=1e-6)
            d = np.linalg.norm(step.final_obs.numpy().astype(float) - goal, axis=1)
            pay = -d if felt is None else np.where(d <= felt, 1.0 if name == "PointNavWind" else 1 - d, 0.0)
            clear = felt is None or np.abs(d - felt) > 1e-6
            np.testing.assert_allclose(step.reward.numpy()[clear], pay[clear], atol=1e-5)


@pytest.mark.parametrize("name", ["TMazePassive", "TMazeActive"])
@pytest.mark.parametrize("right", [True, False])
def test_the_best_t_maze_walk_earns_exactly_one(name, right):
    family = metarl.get(name)
    env, length = family.make(B), 12
    obs = env.begin({"length": length})
    plan = [0] * length if name == "TMazePassive" else [2] + [0] * (length + 1)
    sides, total = obs[:, 0].clone(), torch.zeros(B)
    for t, action in enumerate(plan):
        step = env.step(torch.full((B,), action))
        if t == 0 and name == "TMazeActive":
            sides = step.obs[:, 0].clone()
        total += step.reward
    step = env.step(torch.where((sides > 0) == right, 1, 3))
    total += step.reward
    assert sides.abs().eq(1).all()
    assert step.terminated.all()
    assert (total == float(right)).all()
    assert env.done


def test_dawdling_in_a_t_maze_costs_a_share_of_the_length_each_step():
    env = metarl.get("TMazePassive").make(2)
    env.begin({"length": 4})
    steps = [env.step(torch.tensor([1, 0])) for _ in range(5)]  # up leads nowhere in the corridor
    assert torch.stack([s.reward for s in steps])[:, 0].tolist() == [-0.25] * 5
    assert torch.stack([s.reward for s in steps])[:, 1].tolist() == [0, 0, 0, 0, -0.25]
    assert steps[-1].terminated.all()


def test_harlow_pays_for_one_object_wherever_it_lies_and_for_the_other_after_the_reversal():
    n = 200
    env = metarl.get("HarlowReversal").make(n)
    obs = env.begin({"reliability": 1.0, "reversal": 7})
    liked = obs[:, :6].clone()  # whatever lies left first
    paid = []
    for _ in range(20):
        is_left = (obs[:, :6] == liked).all(1)
        assert (is_left | (obs[:, 6:] == liked).all(1)).all()
        step = env.step((~is_left).long())
        paid.append(step.reward)
        obs = step.obs
    pays = torch.stack(paid)
    assert (pays[:7] == pays[0]).all()
    assert (pays[7:] == 1 - pays[0]).all()
    assert 60 < pays[0].sum() < 140


def test_settings_are_checked():
    samplers = {"goal": metarl.Integers(0, 4, shape=(2,))}
    for settings, match in (
        ({"sise": 5}, "did you mean 'size'"), ({"size": 5.0}, "is a int"), ({"size": 0}, "at least 1"),
    ):  # fmt: skip
        with pytest.raises(metarl.MetarlError, match=match):
            metarl.TaskDistribution("T", world="GridNavi", parameters=samplers, settings=settings).make()
    with pytest.raises(metarl.MetarlError, match="leave goal out"):
        metarl.TaskDistribution("T", world="GridNavi", parameters=samplers, goal="velocity").make()
    with pytest.raises(metarl.MetarlError, match="leave engine out"):
        metarl.get("GridNavi").make(engine="mujoco")
    linked = {"linked": True, "arms": 3}
    chance = {"probability": metarl.Uniform(0.0, 1.0)}
    with pytest.raises(metarl.MetarlError, match="linked arms are two"):
        metarl.TaskDistribution("T", world="Bandit", parameters=chance, settings=linked).make()


def test_a_picture_keeps_each_square_within_its_lines():
    squares, line = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3), (200, 201, 202)
    drawn = ruled(squares, (5, 4), line)
    assert drawn.shape == (2 * 5 + 1, 3 * 4 + 1, 3)
    assert (drawn[::5] == line).all()
    assert (drawn[:, ::4] == line).all()
    for row, column in np.ndindex(2, 3):
        inside = drawn[5 * row + 1 : 5 * (row + 1), 4 * column + 1 : 4 * (column + 1)]
        assert (inside == squares[row, column]).all()
