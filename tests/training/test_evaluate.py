"""`EvalResult`: masks, rewards and returns, and the contents of eval.npz."""

import numpy as np
import pytest
import torch

import metarl
from metarl.errors import MetarlError
from metarl.training import eval_file, evaluate
from metarl.training.evaluate import EvalResult, evaluate_agent


class Pusher:
    """An agent that always takes the same action and keeps the steps that it observes."""

    def __init__(self, action=0.0):
        self.action = action

    def begin(self, num_envs):
        self.num_envs, self.steps = num_envs, []

    def act(self, obs):
        return torch.full((self.num_envs, 1), self.action)

    def observe(self, step):
        self.steps.append(step)


@pytest.fixture
def tasks(falling_robot):
    """Two tasks: the pole falls in every episode of the first, and in no episode of the second."""
    return falling_robot.task_set(metarl.TaskSet({"gravity": [9.0, 0.01], "velocity": [0.5, 0.5]}))


def test_shapes_masks_and_rewards_of_a_result(falling_robot, tasks):
    agent = Pusher()
    result = evaluate_agent(agent, falling_robot.make(6), tasks, replicates=3)
    assert result.reward.shape == result.mask.shape == (2, 20, 2, 3)  # K, H, N, E
    assert result.returns.shape == (2, 2, 3)
    assert result.by_episode().shape == (2,)
    steps = result.mask.sum(1)
    assert (steps[:, 1] == 20).all()
    assert (steps[:, 0] < 20).all()
    assert (steps > 0).all()
    assert not result.reward[~result.mask].any()
    assert (np.diff(result.mask.astype(int), axis=1) <= 0).all()  # no step follows a step at rest
    assert len(agent.steps) == 40
    assert result.diverged == 0
    np.testing.assert_array_equal(
        result.reward.reshape(40, 6), torch.stack([step.reward for step in agent.steps]).numpy()
    )


def test_an_episode_that_ends_early_has_no_rewards_after_its_end(falling_robot, tasks):
    result = evaluate_agent(Pusher(), falling_robot.make(2), tasks[[0, 0]])
    assert result.mask.sum(1).max() < 20
    assert not result.reward[:, -1].any()


def test_replicates_have_their_own_random_streams(falling_robot, tasks):
    both = evaluate_agent(Pusher(0.3), falling_robot.make(4), tasks, replicates=2)
    again = evaluate_agent(Pusher(0.3), falling_robot.make(4), tasks, replicates=2)
    np.testing.assert_array_equal(both.reward, again.reward)
    assert (both.reward[0, 0, :, 0] != both.reward[0, 0, :, 1]).all()
    first = evaluate_agent(
        Pusher(0.3), falling_robot.make(2), tasks[[0, 0]]
    )  # streams 0 and 1: task 0, replicates 0 and 1
    np.testing.assert_array_equal(both.reward[:, :, 0], first.reward[:, :, :, 0])


def test_returns_and_bins_of_known_rewards(tasks):
    reward = np.arange(2 * 5 * 2 * 2, dtype=np.float32).reshape(2, 5, 2, 2)
    result = EvalResult(tasks, reward, np.ones_like(reward, bool), 0)
    assert result.returns[0].tolist() == [[40, 45], [50, 55]]
    assert result.by_episode().tolist() == [47.5, 147.5]
    binned = result.binned(2)
    assert binned.shape == (2, 3, 2)  # the last bin is one step wide
    assert binned[0].tolist() == [[2.5, 4.5], [10.5, 12.5], [16.5, 18.5]]
    np.testing.assert_allclose(result.binned(5)[:, 0], result.returns.mean(2) / 5)
    assert result.binned(9).shape == (2, 1, 2)


def test_a_wrong_number_of_environments_and_nan_actions_are_refused(falling_robot, tasks):
    with pytest.raises(MetarlError, match="2 tasks x 3 replicates need 6 environments"):
        evaluate_agent(Pusher(), falling_robot.make(5), tasks, replicates=3)
    with pytest.raises(MetarlError, match=r"NaN action in environments \[0, 1\]: the agent cannot be evaluated"):
        evaluate_agent(Pusher(float("nan")), falling_robot.make(2), tasks)


def test_divergence_is_counted(falling_robot, tasks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes a log file there
    env = falling_robot.make(2)

    class Breaker(Pusher):
        def observe(self, step):
            super().observe(step)
            if len(self.steps) == 2:
                env.environment.simulation.physics.qvel[1] = 1e12

    result = evaluate_agent(Breaker(), env, tasks)
    assert result.diverged == 1
    assert result.mask[0, :, 1, 0].sum() == 3
    assert result.mask[1, :, 1, 0].sum() == 20
    assert np.isfinite(result.reward).all()


def test_an_eval_file_is_read_as_it_was_written(falling_robot, tasks, tmp_path):
    result = evaluate_agent(Pusher(), falling_robot.make(4), tasks, replicates=2)
    other = evaluate_agent(Pusher(1.0), falling_robot.make(4), tasks, replicates=2)
    path = tmp_path / "eval.npz"
    eval_file.write(path, {"test": {"rl2": result, "mine/best": other}, "ood": {"rl2": other}}, {"by": "me"})
    assert [p.name for p in tmp_path.iterdir()] == ["eval.npz"]
    read = eval_file.read(path)
    assert read.meta["by"] == "me"
    assert {eval_set: list(agents) for eval_set, agents in read.eval_sets.items()} == {
        "test": ["rl2", "mine/best"], "ood": ["rl2"],
    }  # fmt: skip
    saved = read.eval_sets["test"]["mine/best"]
    np.testing.assert_array_equal(saved.reward, other.reward)
    np.testing.assert_array_equal(saved.steps, other.mask.sum(1))
    np.testing.assert_allclose(saved.returns, other.returns, rtol=1e-6)
    assert saved.hash == tasks.hash
    with np.load(path, allow_pickle=False) as arrays:  # the documented format
        np.testing.assert_array_equal(arrays["test/rl2/reward"], result.reward)
        np.testing.assert_array_equal(arrays["ood/task/gravity"], tasks.params["gravity"])
        assert str(arrays["test/hash"]) == tasks.hash


def test_the_evaluation_seed_is_fixed():
    assert evaluate.EVALUATION_SEED == 20_000
