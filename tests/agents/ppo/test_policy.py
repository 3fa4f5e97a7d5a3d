"""What the agent sees, and what it keeps (the input rules of RL²)."""

import numpy as np
import torch
from gymnasium.spaces import Box

from metarl.agents.ppo.policy import Policy, PolicySettings
from metarl.core.trials import Step


def _agent(**settings):
    torch.manual_seed(0)
    shape = PolicySettings(hidden_size=5, head_size=7, **settings)
    policy = Policy(Box(-1, 1, (2,), np.float32), Box(-1, 1, (1,), np.float32), shape)
    return PolicyAgent(policy, deterministic=True)


def _step(reward, done, resting):
    none = torch.zeros(2, dtype=torch.bool)
    obs = torch.zeros(2, 2)
    return Step(obs, torch.tensor(reward), torch.tensor(done), none, obs, torch.tensor(resting), none.long())


def test_a_new_episode_is_met_with_the_last_action_the_last_reward_and_the_flag():
    agent = _agent()
    agent.begin(2)
    action = agent.act(torch.ones(2, 2))
    assert torch.equal(agent.seen.before, torch.zeros(2, 3))  # a trial begins with nothing behind it
    agent.observe(_step([2.0, 3.0], [True, False], [False, False]))
    agent.act(torch.full((2, 2), 0.5))
    assert torch.equal(agent.seen.now, torch.full((2, 2), 0.5))
    assert torch.equal(agent.seen.before[:, :1], action)
    assert torch.equal(agent.seen.before[:, 1], torch.tensor([2.0, 3.0]))
    assert torch.equal(agent.seen.before[:, 2], torch.tensor([1.0, 0.0]))


def test_memory_lives_through_the_end_of_an_episode():
    agent = _agent()
    agent.begin(2)
    agent.act(torch.ones(2, 2))
    agent.observe(_step([2.0, 3.0], [True, False], [False, False]))
    assert (agent.state.abs().sum(1) > 0).all()


def test_wiped_memory_starts_an_episode_as_a_trial():
    agent = _agent(wipe_memory=True)
    agent.begin(2)
    agent.act(torch.ones(2, 2))
    agent.observe(_step([2.0, 3.0], [True, False], [False, False]))
    assert torch.equal(agent.state[0], torch.zeros(5))
    assert agent.state[1].abs().sum() > 0
    agent.act(torch.ones(2, 2))
    assert torch.equal(agent.seen.before[0], torch.zeros(3))
    assert agent.seen.before[1, 1] == 3.0


def test_an_environment_at_rest_leaves_memory_and_last_step_alone():
    agent = _agent()
    agent.begin(2)
    agent.act(torch.ones(2, 2))
    agent.observe(_step([2.0, 3.0], [True, False], [False, False]))
    state, last = agent.state.clone(), agent.last
    agent.act(torch.rand(2, 2))
    agent.observe(_step([0.0, 1.0], [False, False], [True, False]))
    assert torch.equal(agent.state[0], state[0])
    assert not torch.equal(agent.state[1], state[1])
    assert agent.last.reward.tolist() == [2.0, 1.0]
    assert agent.last.done.tolist() == [True, False]
    assert agent.last.action[0] == last.action[0]


def test_a_memoryless_policy_sees_the_observation_alone():
    agent = _agent(memory="none")
    agent.begin(2)
    obs = torch.tensor([[0.1, 0.2], [0.3, 0.4]])
    agent.act(obs)
    assert torch.equal(agent.seen.now, obs)
    assert agent.seen.before.shape == (2, 0)


def test_actions_stay_within_the_box():
    agent = _agent(initial_std=50.0)
    agent.deterministic = False
    agent.begin(2)
    assert (agent.act(torch.ones(2, 2)).abs() <= 1).all()
