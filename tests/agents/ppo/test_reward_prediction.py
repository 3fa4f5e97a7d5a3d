"""The auxiliary loss of PPO over trials, the prediction of rewards."""

from __future__ import annotations

import pytest
import torch

from metarl import MetarlError
from metarl.agents.networks.actor_critic import PolicyInput
from metarl.agents.ppo.learner import PPOLearner
from metarl.agents.ppo.loss import ppo_loss
from metarl.agents.ppo.presets import RL2

SMALL = {"num_envs": 8, "minibatches": 2, "hidden_size": 8, "head_size": 8}


def make_learner(distribution, **settings) -> PPOLearner:
    return PPOLearner(distribution, RL2.settings(**{**SMALL, **settings}), 0, "cpu")


def loss_of(learner: PPOLearner, batch):
    return ppo_loss(learner.policy, batch, learner.policy.network.log_std.detach(), learner.settings)


def test_the_initial_values_of_other_weights_are_the_same(fragile_guess):
    without, with_it = (make_learner(fragile_guess, reward_coef=coef) for coef in (0.0, 0.5))
    parameters = dict(with_it.policy.named_parameters())
    assert not any("rewards" in name for name, _ in without.policy.named_parameters())
    assert all(torch.equal(value, parameters[name]) for name, value in without.policy.named_parameters())
    assert "reward_loss" not in without.update()
    assert "reward_loss" in with_it.update()


def test_the_loss_is_the_mean_squared_error_over_taken_steps(fragile_guess):
    learner = make_learner(fragile_guess, reward_coef=0.25, initial_std=0.8)
    learner.update()  # so that normalisation is not the identity
    batch = learner.make_batch(learner.collect())
    assert not batch.mask.all()
    loss, parts = loss_of(learner, batch)
    network, norm = learner.policy.network, learner.policy.reward_norm
    assert network.rewards is not None
    features = network.features(PolicyInput(batch.obs, batch.prev), batch.reset_steps)
    errors = []
    for t, i in batch.mask.nonzero().tolist():
        *slope, level = network.rewards(features[t, i])
        expected = level + sum(k * a for k, a in zip(slope, batch.action[t, i].clamp(-1, 1), strict=True))
        errors.append(float((expected - (batch.reward[t, i] - norm.mean) / (norm.var + 1e-8).sqrt()).detach()) ** 2)
    assert float(parts["reward_loss"]) == pytest.approx(sum(errors) / len(errors), rel=1e-4)
    others = parts["policy_loss"] + learner.settings.value_coef * parts["value_loss"]
    assert float(loss.detach()) == pytest.approx(float(others) + 0.25 * float(parts["reward_loss"]), rel=1e-4)


def test_the_error_falls_once_rewards_are_predictable(pick):
    """After the first tries of a trial it is known which of three actions gives 1; the error falls far below 1."""
    learner = make_learner(
        pick, num_envs=32, hidden_size=16, head_size=16, encoder_size=8, learning_rate=1e-2, reward_coef=0.5
    )
    errors = [learner.update()["reward_loss"] for _ in range(40)]
    assert errors[1] > 0.7  # in the first update rewards are not normalised yet
    assert errors[-1] < 0.4


def test_a_negative_coefficient_raises():
    with pytest.raises(MetarlError, match="reward_coef"):
        RL2.settings(reward_coef=-1.0)
