"""Meta-training: it learns to adapt, resumes exactly, and says clearly what cannot be."""

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


def learner(kind, distribution, **settings) -> MetaLearner:
    return kind.learner(distribution, kind.settings(**{**SMALL, **settings}), 0, "cpu")


@pytest.mark.parametrize("kind", ALL, ids=lambda k: k.name)
@pytest.mark.parametrize("baseline", ["linear", "value"])
def test_an_update_is_a_function_of_seed_and_state(kind, baseline, fragile_guess):
    a, b = (learner(kind, fragile_guess, baseline=baseline) for _ in range(2))
    a.update()
    b.load_state_dict(deepcopy(a.state_dict()))
    assert a.update() == b.update()
    assert a.env_steps == b.env_steps
    for x, y in zip(a.policy.parameters(), b.policy.parameters(), strict=True):
        assert torch.equal(x, y)


@pytest.mark.parametrize("kind", [presets.PROMP, presets.MAML], ids=lambda k: k.name)
def test_it_learns_to_adapt(kind, guess):
    """Two targets that cannot both be met: after one step on its own rollouts each agent is nearer to its task's."""
    made = learner(kind, guess, num_envs=160, meta_batch_size=8, initial_std=0.5, gamma=0.9, max_kl=0.05)
    first, *_, last = [made.update() for _ in range(25)]
    assert last["return_last"] > first["return_last"] + 0.5
    assert last["adaptation"] > 0.25


@pytest.mark.parametrize("kind", [presets.PROMP, presets.ANIL], ids=lambda k: k.name)
def test_discrete_actions_and_planes(kind, pick):
    made = learner(kind, pick, num_envs=120, meta_batch_size=6, inner_lr=2.0, outer_lr=1e-2, gamma=0.9)
    first, *_, last = [made.update() for _ in range(26)]
    assert "std" not in last
    assert last["adaptation"] > first["adaptation"] + 0.3


def test_steps_at_rest_are_not_counted(fragile_guess):
    made = learner(presets.PROMP, fragile_guess, initial_std=1.5)
    made.update()
    assert 0 < made.env_steps < 16 * 6 * 2


def test_meta_batches_must_divide_the_environments():
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
def test_settings_are_checked(name, value):
    with pytest.raises(MetarlError, match=name):
        presets.PROMP.settings(**{name: value})


@pytest.mark.parametrize(
    "given", [{"learn_rates": True}, {"head_only": True}, {"inner_kl_coef": 0.1}, {"exploration_coef": 0.1}]
)
def test_reptile_refuses_what_it_cannot_do(given):
    with pytest.raises(MetarlError, match=f"reptile has no outer gradient, which {next(iter(given))} ="):
        presets.REPTILE.settings(**given)


def test_a_gradient_that_is_not_finite_names_its_task(guess):
    made = learner(presets.PROMP, guess)
    weight = next(iter(made.policy.network.meta.values()))
    made.update()
    with torch.no_grad():
        made.policy.network.meta["log_std"].fill_(-200.0)  # a policy without variance: log-probabilities are infinite
    with pytest.raises(MetarlError, match=r"inner gradient of task \d+ \(\{'target': -?0.4\}\) is not finite"):
        made.update()
    assert weight.isfinite().all()


def test_zero_inner_steps_is_the_identity(guess):
    made = learner(presets.PROMP, guess, trial_steps=-1)
    agent = made.agent()
    evaluate_agent(agent, guess.make(4), guess.tasks("train", 4))
    assert isinstance(agent, MetaAgent)
    assert agent.steps == 0
    for name, weight in made.policy.network.meta.items():
        assert all(torch.equal(row, weight) for row in agent.params[name])


@pytest.mark.parametrize("kind", ALL, ids=lambda k: k.name)
def test_a_policy_with_memory_is_declined(kind, guess):
    with pytest.raises(MetarlError, match="has no setting memory: its policy is feed-forward"):
        kind.make_settings(guess, {"memory": "gru"})
