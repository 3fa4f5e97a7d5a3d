"""The small worlds against plain implementations of their rules, step by step."""

from typing import Any

import numpy as np
import pytest
import torch

import metarl
from metarl.core.trials import Step, Trials
from metarl.envs.games.game import with_grid_lines

B = 6


def rollout(env: Trials, tasks, policy, seed: int = 0) -> tuple[list[torch.Tensor], list[torch.Tensor], list[Step]]:
    """Return the inputs, actions and steps of one trial, with the actions policy(t)."""
    obs = env.begin(tasks, seed)
    inputs, actions, steps = [], [], []
    while not env.done:
        action = policy(len(steps))
        inputs.append(obs)
        actions.append(action)
        steps.append(env.step(action))
        obs = steps[-1].obs
    return inputs, actions, steps


def random_policy(env: Trials, seed: int = 0):
    g = torch.Generator().manual_seed(seed)
    space: Any = env.action_space
    if hasattr(space, "n"):
        return lambda t: torch.randint(int(space.n), (env.num_envs,), generator=g)
    return lambda t: torch.rand(env.num_envs, *space.shape, generator=g) * 3 - 1.5


def cell(row: torch.Tensor) -> tuple[int, int]:
    x, y = row.reshape(2, -1).argmax(1).tolist()
    return x, y


def next_cell(current: tuple[int, int], action: int, size: int) -> tuple[int, int]:
    dx, dy = ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0))[action]
    x, y = current[0] + dx, current[1] + dy
    return (x, y) if 0 <= x < size and 0 <= y < size else current


@pytest.mark.parametrize(("name", "size"), [("GridNavi", 5), ("GridNavi7", 7), ("DarkRoom", 9), ("DarkRoomHard", 17)])
def test_grid_walks_equal_a_plain_implementation(name, size):
    distribution = metarl.get(name)
    env, tasks = distribution.make(B), distribution.tasks("train", B)
    inputs, actions, steps = rollout(env, tasks, random_policy(env))
    start = (0, 0) if "Navi" in name else (size // 2, size // 2)
    for i in range(B):
        goal, current, terminated = tuple(tasks.params["goal"][i].tolist()), start, False
        for t in range(len(steps)):
            if t % distribution.horizon == 0 and len(steps) == distribution.horizon * distribution.episodes:
                current, terminated = start, False
            assert cell(inputs[t][i]) == current
            if terminated:
                assert steps[t].resting[i]
                assert steps[t].reward[i] == 0
                continue
            current = next_cell(current, int(actions[t][i]), size)
            assert cell(steps[t].final_obs[i]) == current
            reward = (1.0 if current == goal else -0.1) if "Navi" in name else float(current == goal)
            assert steps[t].reward[i] == np.float32(reward)
            terminated = name == "DarkRoomHard" and current == goal
            assert bool(steps[t].terminated[i]) == terminated


def test_grid_navi_has_21_equally_frequent_goals():
    distribution = metarl.get("GridNavi")
    goals, counts = np.unique(distribution.tasks("train", 21 * 10).params["goal"], axis=0, return_counts=True)
    assert {tuple(g) for g in goals.tolist()} == {(x, y) for x in range(5) for y in range(5) if x > 1 or y > 1}
    assert (counts == 10).all()


def test_dark_key_door_rewards_key_then_door_once_with_permuted_actions():
    distribution = metarl.get("DarkKeyDoorPermuted")
    env = distribution.make(1)
    actions = [4, 0, 1, 2, 3]  # stay is action 1
    for key, door in (((0, 0), (8, 8)), ((3, 3), (3, 3))):
        obs = env.begin({"key": key, "door": door, "actions": actions})
        current, held, opened = cell(obs[0]), False, False
        while not opened:
            x, y = door if held else key
            effect = 2 if current[0] < x else 4 if current[0] > x else 1 if current[1] < y else 3
            if current == (x, y):
                effect = 0
            step = env.step(torch.tensor([actions.index(effect)]))
            current = next_cell(current, effect, 9)
            assert cell(step.final_obs[0]) == current
            taken = current == key and not held
            held |= taken
            opened = held and current == door
            assert step.reward[0] == taken + opened
            assert bool(step.terminated[0]) == opened


def test_bandit_rewards_have_their_probabilities():
    n = 4000
    env = metarl.get("Bandit5N10").make(n)
    p = np.array([0.0, 0.1, 0.5, 0.9, 1.0])
    for arm in range(5):
        *_, steps = rollout(env, {"probabilities": p}, lambda t, arm=arm: torch.full((n,), arm), seed=arm)
        assert len(steps) == 10
        assert all(step.terminated.all() for step in steps)
        rewards = torch.stack([step.reward for step in steps])
        assert set(rewards.unique().tolist()) <= {0.0, 1.0}
        assert abs(float(rewards.mean()) - p[arm]) <= 4 * np.sqrt(p[arm] * (1 - p[arm]) / rewards.numel())
        if 0 < p[arm] < 1:  # pulls of an environment are independent
            assert abs(np.corrcoef(rewards[0], rewards[1])[0, 1]) < 4 / np.sqrt(n)


def test_linked_probabilities_sum_to_one_and_gaussian_rewards_have_their_moments():
    env = metarl.get("LinkedBandit2N100").make(2000)
    for arm, probability in ((0, 0.3), (1, 0.7)):
        *_, steps = rollout(env, {"probability": 0.3}, lambda t, arm=arm: torch.full((2000,), arm))
        assert abs(float(torch.stack([s.reward for s in steps]).mean()) - probability) < 0.005
    env = metarl.get("GaussianBandit5N100").make(2000)
    *_, steps = rollout(env, {"means": [0, 1, 2, 3, 4.0]}, lambda t: torch.full((2000,), 3))
    rewards = torch.stack([s.reward for s in steps])
    assert abs(float(rewards.mean()) - 3) < 0.01
    assert abs(float(rewards.std()) - 1) < 0.01


def test_tabular_mdp_has_the_transitions_and_rewards_of_its_task():
    """Compare empirical transitions and rewards of every state and action, with all environments on one task."""
    n = 5000
    distribution = metarl.get("MDPN10")
    env, task = distribution.make(n), distribution.tasks("train", 1)
    inputs, actions, steps = rollout(env, task, random_policy(env))
    assert (inputs[0].argmax(1) == 0).all()
    counts, sums = np.zeros((10, 5, 10)), np.zeros((10, 5))
    for obs, action, step in zip(inputs, actions, steps, strict=True):
        pair = (obs.argmax(1).numpy(), action.numpy())
        np.add.at(counts, (*pair, step.final_obs.argmax(1).numpy()), 1)
        np.add.at(sums, pair, step.reward.numpy().astype(float))
    visits = counts.sum(2)
    assert visits.min() > 500
    z = (sums / visits - task.params["rewards"][0]) * np.sqrt(visits)  # noise N(0, 1)
    assert np.abs(z).max() < 4.5
    expected = task.params["transitions"][0] * visits[..., None]
    chi = ((counts - expected) ** 2 / expected).sum(2)  # 9 degrees of freedom, 50 times
    assert abs(chi.mean() - 9) < 4 * np.sqrt(18 / 50)


def test_point_nav_motion_and_rewards_equal_their_formulas():
    for name, radius in (("PointNav", None), ("PointNavSparse", 0.2), ("PointNavWind", 0.03)):
        distribution = metarl.get(name)
        env, tasks = distribution.make(B), distribution.tasks("train", B)
        goal = tasks.params.get("goal", np.tile([0.0, 1.0], (B, 1)))
        wind = tasks.params.get("wind", np.zeros((B, 2)))
        towards = torch.from_numpy(goal - wind * 10).float()
        noise = random_policy(env)
        inputs, actions, steps = rollout(env, tasks, lambda t, g=towards, noise=noise: (g + noise(t)) * 0.5)
        for obs, action, step in zip(inputs, actions, steps, strict=True):
            position = obs.numpy() + 0.1 * action.clamp(-1, 1).numpy() + wind
            np.testing.assert_allclose(step.final_obs.numpy(), position, atol=1e-6)
            d = np.linalg.norm(step.final_obs.numpy().astype(float) - goal, axis=1)
            inside = 1.0 if name == "PointNavWind" else 1 - d
            expected = -d if radius is None else np.where(d <= radius, inside, 0.0)
            clear = radius is None or np.abs(d - radius) > 1e-6
            np.testing.assert_allclose(step.reward.numpy()[clear], expected[clear], atol=1e-5)


@pytest.mark.parametrize("name", ["TMazePassive", "TMazeActive"])
@pytest.mark.parametrize("correct", [True, False])
def test_shortest_t_maze_path_has_return_one_in_the_correct_arm(name, correct):
    distribution = metarl.get(name)
    env, length = distribution.make(B), 12
    obs = env.begin({"length": length})
    plan = [0] * length if name == "TMazePassive" else [2] + [0] * (length + 1)
    sides, total = obs[:, 0].clone(), torch.zeros(B)
    for t, action in enumerate(plan):
        step = env.step(torch.full((B,), action))
        if t == 0 and name == "TMazeActive":
            sides = step.obs[:, 0].clone()
        total += step.reward
    step = env.step(torch.where((sides > 0) == correct, 1, 3))
    total += step.reward
    assert sides.abs().eq(1).all()
    assert step.terminated.all()
    assert (total == float(correct)).all()
    assert env.done


def test_each_late_step_in_a_t_maze_costs_one_over_the_length():
    env = metarl.get("TMazePassive").make(2)
    env.begin({"length": 4})
    steps = [env.step(torch.tensor([1, 0])) for _ in range(5)]  # up has no effect in the corridor
    assert torch.stack([s.reward for s in steps])[:, 0].tolist() == [-0.25] * 5
    assert torch.stack([s.reward for s in steps])[:, 1].tolist() == [0, 0, 0, 0, -0.25]
    assert steps[-1].terminated.all()


def test_harlow_rewards_one_object_on_either_side_and_the_other_after_the_reversal():
    n = 200
    env = metarl.get("HarlowReversal").make(n)
    obs = env.begin({"reliability": 1.0, "reversal": 7})
    chosen = obs[:, :6].clone()  # the object that is left at first
    rewards = []
    for _ in range(20):
        is_left = (obs[:, :6] == chosen).all(1)
        assert (is_left | (obs[:, 6:] == chosen).all(1)).all()
        step = env.step((~is_left).long())
        rewards.append(step.reward)
        obs = step.obs
    reward = torch.stack(rewards)
    assert (reward[:7] == reward[0]).all()
    assert (reward[7:] == 1 - reward[0]).all()
    assert 60 < reward[0].sum() < 140


def test_invalid_settings_raise():
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
    samplers = {"probability": metarl.Uniform(0.0, 1.0)}
    with pytest.raises(metarl.MetarlError, match="linked arms are two"):
        metarl.TaskDistribution("T", world="Bandit", parameters=samplers, settings=linked).make()


def test_with_grid_lines_keeps_the_colour_of_each_cell():
    squares, line = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3), (200, 201, 202)
    picture = with_grid_lines(squares, (5, 4), line)
    assert picture.shape == (2 * 5 + 1, 3 * 4 + 1, 3)
    assert (picture[::5] == line).all()
    assert (picture[:, ::4] == line).all()
    for row, column in np.ndindex(2, 3):
        inside = picture[5 * row + 1 : 5 * (row + 1), 4 * column + 1 : 4 * (column + 1)]
        assert (inside == squares[row, column]).all()
