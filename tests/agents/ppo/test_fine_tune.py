"""Fine-tuning: copies learn apart, from their own task, and begin each trial anew."""

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
    def agent(family: metarl.TaskDistribution, **settings: float) -> FineTuneAgent:
        env = family.make(1)
        torch.manual_seed(0)
        chosen = FineTuneSettings(**SMALL, **settings)  # type: ignore[arg-type]
        policy = Policy(env.observation_space, env.action_space, chosen)
        return restore(env.observation_space, env.action_space, chosen, {"policy": policy.state_dict()}, True)

    return agent


def test_it_finds_the_better_arm_from_its_own_pulls(make) -> None:
    family = metarl.get("Bandit5N10")
    tasks = family.task_set(metarl.TaskSet({"probabilities": [[1, 0, 0, 0, 0], [0, 0, 0, 0, 1]]}))
    returns = evaluate_agent(make(family, tuning_rate=0.02), family.make(32), tasks, 16).returns  # [10, 2, 16]
    assert returns[0].mean() < 0.5
    assert returns[-2:].mean() > 0.75
    still = evaluate_agent(make(family, tuning_steps=0), family.make(32), tasks, 16).returns
    assert abs(still[-5:].mean() - still[:5].mean()) < 0.15


def test_copies_learn_apart(make, falling_robot) -> None:
    """What one environment lives through changes its own weights only; one with nothing to learn stays as it was."""
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
    assert all(torch.equal(agent.weights[n], before[n]) for n in before)  # a new trial begins from what was trained


def test_lives_that_end_early_count_their_own_steps_only(make, falling_robot) -> None:
    tasks = falling_robot.task_set(metarl.TaskSet({"gravity": [9.0, 0.01], "velocity": [0.5, 0.5]}))
    result = evaluate_agent(make(falling_robot), falling_robot.make(4), tasks, 2)
    assert result.mask[:, :, 0].sum() < result.mask[:, :, 1].sum()
    again = evaluate_agent(make(falling_robot), falling_robot.make(4), tasks, 2)
    assert (result.reward == again.reward).all()


def test_a_memory_cannot_be_fine_tuned() -> None:
    kind = registry.find("agent", "fine-tuned")
    env = metarl.get("Bandit5N100").make(1)
    settings = kind.settings(memory="gru", **SMALL)
    state = {"policy": Policy(env.observation_space, env.action_space, settings).state_dict()}
    with pytest.raises(metarl.MetarlError, match="fine-tuning is of a policy without memory"):
        kind.restore(env.observation_space, env.action_space, settings, state, True)
