"""Fine-tuning: copies train independently on their tasks, and start each trial from the pre-trained weights."""

from __future__ import annotations

import pytest
import torch

import metarl
from metarl import registry
from metarl.agents.ppo.fine_tune import FineTuneAgent, FineTuneSettings, restore
from metarl.agents.ppo.policy import Policy
from metarl.training.evaluate import evaluate_agent

SMALL = {"hidden_size": 16, "head_size": 16}


@pytest.fixture
def make():
    def agent(distribution: metarl.TaskDistribution, **settings: float) -> FineTuneAgent:
        env = distribution.make(1)
        torch.manual_seed(0)
        chosen = FineTuneSettings(**SMALL, **settings)  # type: ignore[arg-type]
        policy = Policy(env.observation_space, env.action_space, chosen)
        return restore(env.observation_space, env.action_space, chosen, {"policy": policy.state_dict()}, True)

    return agent


def test_fine_tuning_finds_the_better_arm(make) -> None:
    distribution = metarl.get("Bandit5N10")
    tasks = distribution.task_set(metarl.TaskSet({"probabilities": [[1, 0, 0, 0, 0], [0, 0, 0, 0, 1]]}))
    agent, env = make(distribution, tuning_rate=0.02), distribution.make(32)
    returns = evaluate_agent(agent, env, tasks, 16).returns  # [10, 2, 16]
    assert returns[0].mean() < 0.5
    assert returns[-2:].mean() > 0.75
    untuned = evaluate_agent(make(distribution, tuning_steps=0), distribution.make(32), tasks, 16).returns
    assert abs(untuned[-5:].mean() - untuned[:5].mean()) < 0.15


def test_copies_train_independently(make, falling_robot) -> None:
    """The steps of an environment change its copy alone; a copy without rewards stays as it is."""
    agent = make(falling_robot)
    env = falling_robot.make(3)
    agent.begin(3)
    before = {name: value.detach().clone() for name, value in agent.weights.items()}
    obs = env.begin({"gravity": 0.01, "velocity": 0.5})
    while env.episode == 0:
        step = env.step(agent.act(obs))
        step = step._replace(reward=step.reward * torch.tensor([1.0, 1.0, 0.0]))
        agent.observe(step)
        obs = step.obs
    moved = torch.stack([(agent.weights[n] - before[n]).detach().abs().flatten(1).sum(1) for n in before]).sum(0)
    assert (moved > 0).tolist() == [True, True, False]
    name = next(iter(before))
    assert not torch.equal(agent.weights[name][0], agent.weights[name][1])
    agent.begin(3)
    assert all(torch.equal(agent.weights[n], before[n]) for n in before)  # a new trial has the pre-trained weights


def test_episodes_may_end_early(make, falling_robot) -> None:
    tasks = falling_robot.task_set(metarl.TaskSet({"gravity": [9.0, 0.01], "velocity": [0.5, 0.5]}))
    result = evaluate_agent(make(falling_robot), falling_robot.make(4), tasks, 2)
    assert result.mask[:, :, 0].sum() < result.mask[:, :, 1].sum()
    again = evaluate_agent(make(falling_robot), falling_robot.make(4), tasks, 2)
    assert (result.reward == again.reward).all()


def test_a_policy_with_memory_raises() -> None:
    agent_type = registry.find("agent", "fine-tuned")
    env = metarl.get("Bandit5N100").make(1)
    settings = agent_type.settings(memory="gru", **SMALL)
    state = {"policy": Policy(env.observation_space, env.action_space, settings).state_dict()}
    with pytest.raises(metarl.MetarlError, match="fine-tuning needs a policy without memory"):
        agent_type.restore(env.observation_space, env.action_space, settings, state, True)
