"""Adaptation as users need it: trials, a plain Gymnasium environment, clones, files."""

from typing import Any

import gymnasium as gym
import pytest
import torch

import metarl
from metarl import MetarlError
from metarl.agents.maml.agent import MetaAgent
from metarl.agents.maml.presets import PROMP
from metarl.evaluation import live
from metarl.trials import Step


def made(distribution, **settings) -> Any:
    assert PROMP.learner
    return PROMP.learner(
        distribution, PROMP.settings(num_envs=8, meta_batch_size=2, hidden_size=8, **settings), 0, "cpu"
    )


def test_a_gradient_step_whenever_it_has_its_shots(guess):
    agent = made(guess, trial_shots=2, trial_steps=2).agent()
    env = metarl.TaskDistribution(**{**vars_of(guess), "episodes": 7}).make(3)
    taken = []
    obs = env.begin(guess.tasks("train", 3))
    agent.begin(3)
    while not env.done:
        episode = env.episode
        step = env.step(agent.act(obs))
        agent.observe(step)
        obs = step.obs
        if env.episode != episode:
            taken.append(agent.steps)
    assert taken == [0, 1, 1, 2, 2, 2, 2]


def vars_of(distribution):
    return {
        name: getattr(distribution, name) for name in ("name", "world", "parameters", "settings", "horizon", "episodes")
    }


def test_each_environment_adapts_on_its_own_rollouts_alone(guess):
    """Rewards of one environment change nothing in the others."""
    learner = made(guess, inner_lr=0.5)
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


def test_the_step_is_the_learners_own(guess):
    """An agent that has lived through a task's rollouts one after another takes the step the meta-batch took."""
    learner = made(guess, trial_shots=4)
    agent = learner.agent()
    agent.begin(1)
    from metarl.agents.maml.sampling import sample
    from metarl.agents.noise import Noise
    from metarl.counted import generator

    tasks = guess.tasks("train", 2)
    batch = sample(learner.living, tasks, 0, Noise(generator(0)))
    phase = batch.phases[0]
    wanted = learner.policy.adapt({k: v.detach() for k, v in learner.policy.network.params(2).items()}, phase)
    for shot in range(4):
        rows = [x[:1, shot : shot + 1] for x in (phase.obs, phase.action, phase.out, phase.reward, phase.own)]
        agent._slot.rows = [tuple(x[:, 0, t] for x in rows) for t in range(6)]
        agent._end_episode()
    for name, value in agent.params.items():
        torch.testing.assert_close(value[0], wanted[name][0].detach(), rtol=1e-4, atol=1e-6)


def test_environments_that_end_early_wait_for_the_others(fragile_guess):
    learner = made(fragile_guess, initial_std=1.5, trial_shots=2)
    lives = live(learner.agent(), metarl.TaskDistribution(
        **{**vars_of(fragile_guess), "episodes": 5}).make(6), fragile_guess.tasks("train", 6))  # fmt: skip
    assert not lives.lived.all()


def test_clones_go_their_own_way(guess):
    agent = made(guess).agent()
    agent.begin(1)
    twin = agent.clone()
    with torch.no_grad():
        twin.params["head_bias"] += 1.0
    assert not torch.equal(twin.params["head_bias"], agent.params["head_bias"])
    obs = torch.zeros(1, 1)
    assert torch.equal(agent.clone().act(obs), agent.act(obs))


def test_adapted_weights_are_saved_and_loaded(guess, tmp_path):
    learner = made(guess)
    agent = learner.agent()
    live(agent, guess.make(3), guess.tasks("train", 3))
    agent.save(tmp_path / "adapted.pt")
    again = learner.agent().load(tmp_path / "adapted.pt")
    assert isinstance(again, MetaAgent)
    obs = torch.zeros(3, 1)
    assert again.steps == agent.steps == 1
    assert torch.equal(again.act(obs), agent.act(obs))


def test_a_file_of_something_else_is_refused(guess, tmp_path):
    torch.save({"params": {"w": torch.zeros(1)}, "steps": 0}, tmp_path / "x.pt")
    with pytest.raises(MetarlError, match="holds no adapted weights"):
        made(guess).agent().load(tmp_path / "x.pt")


@pytest.mark.slow
def test_a_plain_gymnasium_environment(tmp_path):
    run = metarl.train(
        "promp", "HalfCheetahDirH100", steps=4000, run_dir=str(tmp_path / "run"), evaluate_every=0,
        settings={"num_envs": 20, "meta_batch_size": 2, "hidden_size": 8},
    )  # fmt: skip
    agent: Any = metarl.load(run)
    returns = metarl.play(agent, gym.make("HalfCheetah-v5", max_episode_steps=50), episodes=2)
    assert len(returns) == 2
    assert agent.steps == 1
