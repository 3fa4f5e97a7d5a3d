"""Meta-training: it learns to adapt, resumes bit for bit, and raises errors for invalid settings."""

from copy import deepcopy

import pytest
import torch

from metarl import MetarlError
from metarl.agents.maml import presets
from metarl.agents.maml.agent import MetaAgent
from metarl.agents.maml.learner import MetaLearner
from metarl.training.evaluate import evaluate_agent

ALL = [
    getattr(presets, name) for name in ("MAML", "MAML_PPO", "PROMP", "E_MAML", "FOMAML", "REPTILE", "META_SGD", "ANIL")
]
SMALL = {"num_envs": 16, "meta_batch_size": 4, "hidden_size": 8}


def make_learner(agent_type, distribution, **settings) -> MetaLearner:
    return agent_type.learner(distribution, agent_type.settings(**{**SMALL, **settings}), 0, "cpu")


@pytest.mark.parametrize("agent_type", ALL, ids=lambda agent_type: agent_type.name)
@pytest.mark.parametrize("baseline", ["linear", "value"])
def test_an_update_is_a_function_of_seed_and_state(agent_type, baseline, fragile_guess):
    a, b = (make_learner(agent_type, fragile_guess, baseline=baseline) for _ in range(2))
    a.update()
    b.load_state_dict(deepcopy(a.state_dict()))
    assert a.update() == b.update()
    assert a.env_steps == b.env_steps
    for x, y in zip(a.policy.parameters(), b.policy.parameters(), strict=True):
        assert torch.equal(x, y)


@pytest.mark.parametrize("agent_type", [presets.PROMP, presets.MAML], ids=lambda agent_type: agent_type.name)
def test_returns_grow_with_training_and_by_adaptation(agent_type, guess):
    """No single action fits both targets; a gradient step moves the policy of each task towards its target."""
    learner = make_learner(agent_type, guess, num_envs=160, meta_batch_size=8, initial_std=0.5, gamma=0.9, max_kl=0.05)
    first, *_, last = [learner.update() for _ in range(25)]
    assert last["return_last"] > first["return_last"] + 0.5
    assert last["adaptation"] > 0.25


@pytest.mark.parametrize("agent_type", [presets.PROMP, presets.ANIL], ids=lambda agent_type: agent_type.name)
def test_adaptation_grows_with_discrete_actions_and_planes(agent_type, pick):
    learner = make_learner(agent_type, pick, num_envs=120, meta_batch_size=6, inner_lr=2.0, outer_lr=1e-2, gamma=0.9)
    first, *_, last = [learner.update() for _ in range(26)]
    assert "std" not in last
    assert last["adaptation"] > first["adaptation"] + 0.3


def test_steps_at_rest_are_not_counted(fragile_guess):
    learner = make_learner(presets.PROMP, fragile_guess, initial_std=1.5)
    learner.update()
    assert 0 < learner.env_steps < 16 * 6 * 2


def test_a_meta_batch_size_that_does_not_divide_num_envs_raises():
    with pytest.raises(MetarlError, match="num_envs 10 must be a multiple of meta_batch_size 4"):
        presets.PROMP.settings(num_envs=10, meta_batch_size=4)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trial_shots", 0),
        ("inner_steps", 0),
        ("surrogate", "dise"),
        ("outer", "adam"),
        ("inner_lr", 0.0),
        ("gamma", 2.0),
    ],
)
def test_invalid_settings_raise(name, value):
    with pytest.raises(MetarlError, match=name):
        presets.PROMP.settings(**{name: value})


@pytest.mark.parametrize(
    "given", [{"learn_rates": True}, {"head_only": True}, {"inner_kl_coef": 0.1}, {"exploration_coef": 0.1}]
)
def test_settings_that_reptile_does_not_support_raise(given):
    with pytest.raises(MetarlError, match=f"reptile has no outer gradient, which {next(iter(given))} ="):
        presets.REPTILE.settings(**given)


def test_a_gradient_that_is_not_finite_raises_with_its_task(guess):
    learner = make_learner(presets.PROMP, guess)
    weight = next(iter(learner.policy.network.meta.values()))
    learner.update()
    with torch.no_grad():
        learner.policy.network.meta["log_std"].fill_(-200.0)  # no variance: infinite log-probabilities
    with pytest.raises(MetarlError, match=r"inner gradient of task \d+ \(\{'target': -?0.4\}\) is not finite"):
        learner.update()
    assert weight.isfinite().all()


def test_without_gradient_steps_weights_stay_the_initial_ones(guess):
    learner = make_learner(presets.PROMP, guess, trial_steps=-1)
    agent = learner.agent()
    evaluate_agent(agent, guess.make(4), guess.tasks("train", 4))
    assert isinstance(agent, MetaAgent)
    assert agent.steps == 0
    for name, weight in learner.policy.network.meta.items():
        assert all(torch.equal(row, weight) for row in agent.params[name])


@pytest.mark.parametrize("agent_type", ALL, ids=lambda agent_type: agent_type.name)
def test_the_setting_memory_raises(agent_type, guess):
    with pytest.raises(MetarlError, match="has no setting memory: its policy is feed-forward"):
        agent_type.make_settings(guess, {"memory": "gru"})
