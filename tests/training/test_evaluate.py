"""Lifetimes: what is counted, and what eval.npz holds."""

import numpy as np
import pytest
import torch

import metarl
from metarl.errors import MetarlError
from metarl.training import eval_file, evaluate
from metarl.training.evaluate import EvalResult, evaluate_agent


class Pusher:
    """Always the same action; counts its calls."""

    def __init__(self, action=0.0):
        self.action = action

    def begin(self, num_envs):
        self.num_envs, self.seen = num_envs, []

    def act(self, obs):
        return torch.full((self.num_envs, 1), self.action)

    def observe(self, step):
        self.seen.append(step)


@pytest.fixture
def tasks(falling_robot):
    """The first falls in any of its episodes, the second in none."""
    return falling_robot.task_set(metarl.TaskSet({"gravity": [9.0, 0.01], "velocity": [0.5, 0.5]}))


def test_shapes_and_what_was_lived(falling_robot, tasks):
    agent = Pusher()
    lifetimes = evaluate_agent(agent, falling_robot.make(6), tasks, replicates=3)
    assert lifetimes.reward.shape == lifetimes.mask.shape == (2, 20, 2, 3)  # K, H, N, E
    assert lifetimes.returns.shape == (2, 2, 3)
    assert lifetimes.by_episode().shape == (2,)
    lived = lifetimes.mask.sum(1)
    assert (lived[:, 1] == 20).all()
    assert (lived[:, 0] < 20).all()
    assert (lived > 0).all()
    assert not lifetimes.reward[~lifetimes.lived].any()
    assert (np.diff(lifetimes.mask.astype(int), axis=1) <= 0).all()  # what is over is over
    assert len(agent.seen) == 40
    assert lifetimes.diverged == 0
    np.testing.assert_array_equal(
        lifetimes.reward.reshape(40, 6), torch.stack([step.reward for step in agent.seen]).numpy()
    )


def test_a_slot_cut_short_has_no_rewards_after(falling_robot, tasks):
    lifetimes = evaluate_agent(Pusher(), falling_robot.make(2), tasks[[0, 0]])
    assert lifetimes.mask.sum(1).max() < 20
    assert not lifetimes.reward[:, -1].any()


def test_replicates_are_side_by_side_with_streams_of_their_own(falling_robot, tasks):
    both = evaluate_agent(Pusher(0.3), falling_robot.make(4), tasks, replicates=2)
    again = evaluate_agent(Pusher(0.3), falling_robot.make(4), tasks, replicates=2)
    np.testing.assert_array_equal(both.reward, again.reward)
    assert (both.reward[0, 0, :, 0] != both.reward[0, 0, :, 1]).all()
    first = evaluate_agent(Pusher(0.3), falling_robot.make(2), tasks[[0, 0]])  # streams 0 and 1: task 0, replicates 0 and 1
    np.testing.assert_array_equal(both.reward[:, :, 0], first.reward[:, :, :, 0])


def test_returns_and_bins_of_literals(tasks):
    reward = np.arange(2 * 5 * 2 * 2, dtype=np.float32).reshape(2, 5, 2, 2)
    lifetimes = EvalResult(tasks, reward, np.ones_like(reward, bool), 0)
    assert lifetimes.returns[0].tolist() == [[40, 45], [50, 55]]
    assert lifetimes.by_episode().tolist() == [47.5, 147.5]
    binned = lifetimes.binned(2)
    assert binned.shape == (2, 3, 2)  # the last bin is one step wide
    assert binned[0].tolist() == [[2.5, 4.5], [10.5, 12.5], [16.5, 18.5]]
    np.testing.assert_allclose(lifetimes.binned(5)[:, 0], lifetimes.returns.mean(2) / 5)
    assert lifetimes.binned(9).shape == (2, 1, 2)


def test_wrong_numbers_of_environments_and_nan_actions_raise(falling_robot, tasks):
    with pytest.raises(MetarlError, match="2 tasks x 3 replicates need 6 environments"):
        evaluate_agent(Pusher(), falling_robot.make(5), tasks, replicates=3)
    with pytest.raises(MetarlError, match="NaN action: the agent cannot be evaluated"):
        evaluate_agent(Pusher(float("nan")), falling_robot.make(2), tasks)


def test_divergence_is_counted(falling_robot, tasks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for MuJoCo's log
    env = falling_robot.make(2)

    class Breaker(Pusher):
        def observe(self, step):
            super().observe(step)
            if len(self.seen) == 2:
                env.environment.simulation.physics.qvel[1] = 1e12

    lifetimes = evaluate_agent(Breaker(), env, tasks)
    assert lifetimes.diverged == 1
    assert lifetimes.mask[0, :, 1, 0].sum() == 3
    assert lifetimes.mask[1, :, 1, 0].sum() == 20
    assert np.isfinite(lifetimes.reward).all()


def test_eval_npz(falling_robot, tasks, tmp_path):
    lifetimes = evaluate_agent(Pusher(), falling_robot.make(4), tasks, replicates=2)
    other = evaluate_agent(Pusher(1.0), falling_robot.make(4), tasks, replicates=2)
    path = tmp_path / "eval.npz"
    eval_file.write(path, {"test": {"rl2": lifetimes, "mine/best": other}, "ood": {"rl2": other}}, {"by": "me"})
    assert [p.name for p in tmp_path.iterdir()] == ["eval.npz"]
    found = eval_file.read(path)
    assert found.meta["by"] == "me"
    assert {panel: list(agents) for panel, agents in found.panels.items()} == {
        "test": ["rl2", "mine/best"], "ood": ["rl2"],
    }  # fmt: skip
    read = found.panels["test"]["mine/best"]
    np.testing.assert_array_equal(read.reward, other.reward)
    np.testing.assert_array_equal(read.steps, other.mask.sum(1))
    np.testing.assert_allclose(read.returns, other.returns, rtol=1e-6)
    assert read.hash == tasks.hash
    with np.load(path, allow_pickle=False) as arrays:  # what users may rely on
        np.testing.assert_array_equal(arrays["test/rl2/reward"], lifetimes.reward)
        np.testing.assert_array_equal(arrays["ood/task/gravity"], tasks.params["gravity"])
        assert str(arrays["test/hash"]) == tasks.hash


def test_the_seed_of_evaluations_is_written_down():
    assert evaluate.EVALUATION_SEED == 20_000
