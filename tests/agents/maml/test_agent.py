"""A trained agent that adapts: in trials, in a plain Gymnasium environment, cloned, saved and loaded."""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import pytest
import torch

import metarl
from metarl import MetarlError
from metarl.agents.maml.agent import MetaAgent
from metarl.agents.maml.presets import PROMP
from metarl.core import trials
from metarl.core.trials import Step
from metarl.training.evaluate import evaluate_agent


def make_learner(distribution, **settings) -> Any:
    assert PROMP.learner
    return PROMP.learner(
        distribution, PROMP.settings(num_envs=8, meta_batch_size=2, hidden_size=8, **settings), 0, "cpu"
    )


def test_a_gradient_step_follows_every_trial_shots_episodes(guess):
    agent = make_learner(guess, trial_shots=2, trial_steps=2).agent()
    env = replace(guess, episodes=7).make(3)
    steps = []
    obs = env.begin(guess.tasks("train", 3))
    agent.begin(3)
    while not env.done:
        episode = env.episode
        step = env.step(agent.act(obs))
        agent.observe(step)
        obs = step.obs
        if env.episode != episode:
            steps.append(agent.steps)
    assert steps == [0, 1, 1, 2, 2, 2, 2]


def test_environments_adapt_independently(guess):
    """The rewards of one environment have no effect on the others."""
    learner = make_learner(guess, inner_lr=0.5)
    agents = []
    for flip in (1.0, -1.0):
        agent = learner.agent()
        agent.begin(2)
        obs = torch.zeros(2, 1)
        for t in range(6):
            action = agent.act(obs)
            reward = action[:, 0] * torch.tensor([1.0, flip])
            over = torch.full((2,), t == 5)
            agent.observe(Step(obs, reward, ~over & over, over, obs, ~over & over, torch.zeros(2).long()))
        agents.append(agent)
    for name in agents[0].params:
        assert torch.equal(agents[0].params[name][0], agents[1].params[name][0])
    assert not torch.equal(agents[0].params["head_bias"][1], agents[1].params["head_bias"][1])


def test_the_gradient_step_equals_that_of_training(guess):
    """An agent takes the step of a meta-batch when it gets the rollouts of a task as consecutive episodes."""
    learner = make_learner(guess, trial_shots=4)
    agent = learner.agent()
    agent.begin(1)
    batch = learner.collect().batches[0]
    expected = learner.policy.adapt(learner.policy.initial_params(2), batch)
    for shot in range(4):
        parts = (batch.obs, batch.action, batch.dist_params, batch.reward, batch.mask)
        rows = [x[:1, shot : shot + 1] for x in parts]
        agent._rows = [tuple(x[:, 0, t] for x in rows) for t in range(6)]
        agent._end_episode()
    for name, value in agent.params.items():
        torch.testing.assert_close(value[0], expected[name][0].detach(), rtol=1e-4, atol=1e-6)


def test_episodes_may_end_early(fragile_guess):
    learner = make_learner(fragile_guess, initial_std=1.5, trial_shots=2)
    env = replace(fragile_guess, episodes=5).make(6)
    result = evaluate_agent(learner.agent(), env, fragile_guess.tasks("train", 6))
    assert not result.mask.all()


def test_clones_are_independent(guess):
    agent = make_learner(guess).agent()
    agent.begin(1)
    twin = agent.clone()
    with torch.no_grad():
        twin.params["head_bias"] += 1.0
    assert not torch.equal(twin.params["head_bias"], agent.params["head_bias"])
    obs = torch.zeros(1, 1)
    assert torch.equal(agent.clone().act(obs), agent.act(obs))


def test_adapted_weights_are_saved_and_loaded(guess, tmp_path):
    learner = make_learner(guess)
    agent = learner.agent()
    evaluate_agent(agent, guess.make(3), guess.tasks("train", 3))
    agent.save(tmp_path / "adapted.pt")
    loaded = learner.agent().load(tmp_path / "adapted.pt")
    assert isinstance(loaded, MetaAgent)
    obs = torch.zeros(3, 1)
    assert loaded.steps == agent.steps == 1
    assert torch.equal(loaded.act(obs), agent.act(obs))


@pytest.mark.parametrize(
    "content", [{"params": {"w": torch.zeros(1)}, "steps": 0}, {"params": [1]}, torch.ones(2), None]
)
def test_loading_another_file_raises(content, guess, tmp_path):
    path = tmp_path / "x.pt"
    path.touch() if content is None else torch.save(content, path)
    with pytest.raises(MetarlError, match="holds no adapted weights"):
        make_learner(guess).agent().load(path)


@pytest.mark.parametrize("use", [lambda a, p: a.save(p), lambda a, _: a.clone(), lambda a, _: a.act(torch.zeros(1, 1))])
def test_use_before_begin_raises(use, guess, tmp_path):
    with pytest.raises(MetarlError, match=r"call begin\(num_envs\) first"):
        use(make_learner(guess).agent(), tmp_path / "x.pt")


def test_steps_while_all_environments_rest_are_ignored(fragile_guess, monkeypatch):
    """On a GPU, a slot ends some steps after all environments rest; the adapted weights are the same as on CPU."""
    learner = make_learner(fragile_guess, initial_std=1.5, trial_shots=2, trial_steps=2)
    distribution = replace(fragile_guess, episodes=5)
    monkeypatch.setattr(trials, "CHECK_EVERY", 4)
    agents, lengths = [], []
    for on_cpu in (True, False):
        env, agent = distribution.make(3), learner.agent()
        env._on_cpu = on_cpu
        obs, steps = env.begin(fragile_guess.tasks("train", 3), seed=1), 0
        agent.begin(3)
        action = agent.act(obs)
        while not env.done:
            if not bool(env.resting.all()):
                action, steps = agent.act(obs), steps + 1
            step = env.step(action)  # does nothing if all environments rest
            agent.observe(step)
            obs = step.obs
        agents.append(agent)
        lengths.append(steps)
    assert lengths[0] == lengths[1]
    for name, value in agents[0].params.items():
        torch.testing.assert_close(agents[1].params[name], value)


def test_a_step_that_is_not_finite_raises_with_its_environment(guess):
    agent = make_learner(guess).agent()
    agent.begin(3)
    over = torch.ones(3, dtype=torch.bool)
    reward = torch.tensor([0.0, torch.nan, 1.0])
    obs = torch.zeros(3, 1)
    agent.act(obs)
    with pytest.raises(MetarlError, match="gradient step of environment 1 is not finite: lower inner_lr"):
        agent.observe(Step(obs, reward, over, ~over, obs, ~over, torch.zeros(3).long()))


def test_settings_of_adaptation_can_be_changed_in_a_trained_agent(guess, tmp_path):
    small = {"num_envs": 8, "meta_batch_size": 2, "hidden_size": 8}
    path = metarl.train("promp", guess, steps=96, run_dir=str(tmp_path / "run"), evaluate_every=0, settings=small)
    env = guess.make(2)
    distances = []
    changes: list[dict[str, Any]] = [{}, {"inner_lr": 0.0001}, {"inner_lr": 10.0}, {"head_only": True}]
    for change in changes:
        agent: Any = metarl.load(path, **change)
        evaluate_agent(agent, env, guess.tasks("train", 2))
        start = dict(agent.policy.network.meta.items())
        distances.append({n: float((value - start[n].detach()).norm()) for n, value in agent.params.items()})
    assert distances[1]["head_weight"] < distances[0]["head_weight"] < distances[2]["head_weight"]
    assert distances[0]["layer0_bias"] > 0
    assert distances[3]["layer0_bias"] == 0
    with pytest.raises(MetarlError, match=r"hidden_size cannot be changed .* what can be changed: trial_shots"):
        metarl.load(path, hidden_size=16)
    path = metarl.train("meta-sgd", guess, steps=96, run_dir=str(tmp_path / "sgd"), evaluate_every=0, settings=small)
    with pytest.raises(MetarlError, match="inner_lr cannot be changed"):
        metarl.load(path, inner_lr=1.0)


@pytest.mark.slow
def test_an_agent_adapts_in_a_plain_gymnasium_environment(tmp_path):
    run = metarl.train(
        "promp", "HalfCheetahDirH100", steps=4000, run_dir=str(tmp_path / "run"), evaluate_every=0,
        settings={"num_envs": 20, "meta_batch_size": 2, "hidden_size": 8},
    )  # fmt: skip
    agent: Any = metarl.load(run)
    returns = metarl.play(agent, gym.make("HalfCheetah-v5", max_episode_steps=50), episodes=2)
    assert len(returns) == 2
    assert agent.steps == 1
