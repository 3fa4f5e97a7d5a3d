"""PPO on trials: recomputed probabilities, credit across episodes, and convergence to known optima."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from metarl import MetarlError, registry
from metarl.agents.networks.actor_critic import PolicyInput
from metarl.agents.ppo.learner import PPOLearner
from metarl.agents.ppo.loss import ppo_loss, shuffled
from metarl.agents.ppo.presets import ORACLE, PPO, RL2, RL2_WIPED
from metarl.training.evaluate import evaluate_agent


def _learner(agent_type, distribution, **settings) -> PPOLearner:
    small = {"num_envs": 8, "minibatches": 2, "hidden_size": 8, "head_size": 8}
    return agent_type.learner(distribution, agent_type.settings(**{**small, **settings}), 0, "cpu")


@pytest.mark.parametrize("agent_type", [RL2, RL2_WIPED, PPO], ids=lambda agent_type: agent_type.name)
@pytest.mark.parametrize("memory", ["gru", "lstm", "associative"])
def test_recomputed_probabilities_equal_those_of_the_rollout(agent_type, memory, fragile_guess):
    """Environments rest in the middle of trials; the sequence pass has the inputs of the rollout."""
    settings = {"initial_std": 0.8} | ({} if agent_type is PPO else {"memory": memory})
    learner = _learner(agent_type, fragile_guess, **settings)
    learner.update()  # so that normalisation is not the identity
    rollout = learner.collect()
    assert rollout.resting.any()
    batch = learner.make_batch(rollout)
    network = learner.policy.network
    dist_params = network.actor(network.features(PolicyInput(batch.obs, batch.prev), batch.reset_steps))
    log_prob = learner.policy.dist(dist_params).log_prob(batch.action)
    torch.testing.assert_close(log_prob[batch.mask], batch.log_prob[batch.mask], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("agent_type", "crosses"), [(RL2, True), (RL2_WIPED, False), (PPO, False)])
def test_credit_crosses_episodes_only_with_memory_across_them(agent_type, crosses, guess):
    learner = _learner(agent_type, guess)
    rollout = learner.collect()
    changed = replace(rollout, reward=rollout.reward.clone())
    changed.reward[-1] += 100.0  # the last step of the second episode
    a, b = learner.make_batch(rollout), learner.make_batch(changed)
    # The batch has no raw advantages; the target of the critic is value + advantage.
    first_episode = slice(0, guess.horizon)
    same = torch.allclose(a.target[first_episode], b.target[first_episode])
    assert same is not crosses


def test_the_end_of_a_trial_is_terminal(guess):
    """The target of the last step is its reward alone, without a bootstrapped value."""
    learner = _learner(RL2, guess)
    rollout = learner.collect()
    batch = learner.make_batch(rollout)
    torch.testing.assert_close(batch.target[-1], rollout.reward[-1])


def test_the_loss_ignores_steps_at_rest(fragile_guess):
    """The loss does not depend on the inputs of steps at rest."""
    learner = _learner(RL2, fragile_guess, initial_std=0.8)
    batch = learner.make_batch(learner.collect())
    assert not batch.mask.all()
    log_std = learner.policy.network.log_std.detach()
    loss, _ = ppo_loss(learner.policy, batch, log_std, learner.settings)
    noise = torch.where(batch.mask.unsqueeze(-1), batch.prev, torch.randn_like(batch.prev))
    other, _ = ppo_loss(learner.policy, replace(batch, prev=noise), log_std, learner.settings)
    torch.testing.assert_close(loss, other)


def test_an_update_is_a_function_of_seed_and_state(guess):
    a, b = _learner(RL2, guess), _learner(RL2, guess)
    a.update()
    b.load_state_dict(deepcopy(a.state_dict()))  # an optimiser keeps the tensors that it loads
    assert a.update() == b.update()
    for x, y in zip(a.policy.parameters(), b.policy.parameters(), strict=True):
        assert torch.equal(x, y)


def test_a_learner_does_not_change_the_global_generator(guess):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    _learner(RL2, guess).update()
    assert torch.equal(torch.get_rng_state(), before)


def test_annealed_rates_decrease_linearly_and_continue_after_a_restart(guess):
    """An update is 8 trials of 2 episodes of 6 steps, 96 env steps."""
    settings = {"anneal_steps": 4 * 96, "learning_rate": 1e-2, "entropy_coef": 0.1}
    learner = _learner(RL2, guess, **settings)
    rates = [learner.update()["learning_rate"] for _ in range(6)]
    assert rates == pytest.approx([1e-2, 7.5e-3, 5e-3, 2.5e-3, 5e-4, 5e-4])
    assert learner._annealed().entropy_coef == pytest.approx(0.005)
    other, restarted = (_learner(RL2, guess, **settings) for _ in range(2))
    other.update()
    restarted.load_state_dict(deepcopy(other.state_dict()))
    assert other.update() == restarted.update()


def test_two_schedules_of_the_learning_rate_raise():
    with pytest.raises(MetarlError, match="anneal_steps and target_kl"):
        RL2.settings(anneal_steps=100, target_kl=0.01)


def test_minibatches_that_do_not_divide_the_trials_raise():
    with pytest.raises(MetarlError, match="multiple of minibatches 3"):
        RL2.settings(num_envs=8, minibatches=3)


@pytest.mark.parametrize(("name", "value"), [("gamma", 1.5), ("learning_rate", 0.0), ("epochs", 0), ("memory", "rnn")])
def test_invalid_settings_raise(name, value):
    with pytest.raises(MetarlError, match=name):
        RL2.settings(**{name: value})


def _train(agent_type, distribution, updates=60):
    settings = {
        "num_envs": 64,
        "hidden_size": 16,
        "head_size": 16,
        "gamma": 0.9,
        "learning_rate": 1e-2,
        "initial_std": 0.4,
    }
    learner = _learner(agent_type, distribution, **settings)
    for _ in range(updates):
        learner.update()
    env = distribution.make(64, task_visible=agent_type.task_visible)
    return evaluate_agent(learner.agent(), env, distribution.tasks("train", 64)).by_episode()


def test_agents_converge_to_known_optima(guess):
    """The optimal reward is 0 a step given the task, and -0.16 without adaptation (the action 0).

    RL² identifies the task by its first rewards: its second episode is near 0, its first in between.
    """
    oracle, memoryless, rl2 = (_train(agent_type, guess) for agent_type in (ORACLE, PPO, RL2))
    assert (oracle > -0.05).all()
    assert (abs(memoryless + 6 * 0.16) < 0.1).all()
    assert rl2[1] > -0.1
    assert rl2[1] >= rl2[0] > -6 * 0.16


def test_rl2_adapts_with_discrete_actions_and_planes(pick):
    """RL² finds the rewarded one of three actions in its first episode and repeats it throughout the second."""
    learner = _learner(
        RL2, pick, num_envs=32, hidden_size=16, head_size=16, encoder_size=8, gamma=0.9, learning_rate=1e-2
    )
    assert "std" not in [learner.update() for _ in range(40)][-1]
    first, last = evaluate_agent(learner.agent(), pick.make(30), pick.tasks("train", 30)).by_episode()
    assert last > 3.8
    assert last > first > 4 / 3


def test_tuned_settings_are_valid_and_memoryless_agents_stay_memoryless():
    for agent_type in (RL2, RL2_WIPED, PPO, ORACLE):
        for name, tuned in agent_type.tuned.items():
            registry.find("distribution", name)
            has_memory = agent_type.settings(**tuned).memory != "none"
            assert has_memory is (agent_type in (RL2, RL2_WIPED))


@pytest.mark.parametrize(("trials", "minibatches"), [(64, 4), (6, 3), (5, 1), (4, 4)])
def test_minibatches_hold_each_trial_once_and_separate_consecutive_trials(trials, minibatches):
    drawn = [shuffled(trials, minibatches, torch.Generator().manual_seed(seed)) for seed in range(40)]
    for order in drawn:
        assert sorted(order.flatten().tolist()) == list(range(trials))
        assert all(sorted((row // minibatches).tolist()) == list(range(trials // minibatches)) for row in order)
    first = torch.stack([order[0] for order in drawn])  # the first minibatch has any trial of each group
    assert all(
        set(column.tolist()) == set(range(minibatches * i, minibatches * (i + 1))) for i, column in enumerate(first.T)
    )
