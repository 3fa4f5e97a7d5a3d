"""The input of a policy, and its memory from step to step, as in RL²."""

import numpy as np
import torch
from gymnasium.spaces import Box

from metarl.agents.action_distributions import ActionNoise
from metarl.agents.ppo.agent import PolicyAgent
from metarl.agents.ppo.policy import Policy, PolicyActor
from metarl.agents.ppo.settings import PolicySettings
from metarl.core.trials import Step


def _policy(**settings) -> Policy:
    torch.manual_seed(0)
    chosen = PolicySettings(hidden_size=5, head_size=7, **settings)
    return Policy(Box(-1, 1, (2,), np.float32), Box(-1, 1, (1,), np.float32), chosen)


def _actor(**settings) -> PolicyActor:
    actor = PolicyActor(_policy(**settings))
    actor.begin(2, ActionNoise())
    return actor


@torch.no_grad()
def _act(actor: PolicyActor, obs: torch.Tensor):
    return actor.act(obs, None)


def _step(reward, done, resting):
    none = torch.zeros(2, dtype=torch.bool)
    obs = torch.zeros(2, 2)
    return Step(obs, torch.tensor(reward), torch.tensor(done), none, obs, torch.tensor(resting), none.long())


FIRST = _step([2.0, 3.0], [True, False], [False, False])


def test_the_input_holds_the_last_action_reward_and_done_flag():
    actor = _actor()
    acted = _act(actor, torch.ones(2, 2))
    assert torch.equal(acted.input.prev, torch.zeros(2, 3))  # zeros at the start of a trial
    actor.observe(acted, FIRST)
    after = _act(actor, torch.full((2, 2), 0.5))
    assert torch.equal(after.input.obs, torch.full((2, 2), 0.5))
    assert torch.equal(after.input.prev[:, :1], acted.action)
    assert torch.equal(after.input.prev[:, 1], torch.tensor([2.0, 3.0]))
    assert torch.equal(after.input.prev[:, 2], torch.tensor([1.0, 0.0]))


def test_memory_is_kept_across_the_end_of_an_episode():
    actor = _actor()
    actor.observe(_act(actor, torch.ones(2, 2)), FIRST)
    assert (actor.memory.abs().sum(1) > 0).all()


def test_wiped_memory_is_empty_at_the_start_of_an_episode():
    actor = _actor(wipe_memory=True)
    actor.observe(_act(actor, torch.ones(2, 2)), FIRST)
    assert torch.equal(actor.memory[0], torch.zeros(5))
    assert actor.memory[1].abs().sum() > 0
    acted = _act(actor, torch.ones(2, 2))
    assert torch.equal(acted.input.prev[0], torch.zeros(3))
    assert acted.input.prev[1, 1] == 3.0


def test_an_environment_at_rest_keeps_its_memory_and_last_input():
    actor = _actor()
    actor.observe(_act(actor, torch.ones(2, 2)), FIRST)
    memory, previous = actor.memory.clone(), actor.previous
    actor.observe(_act(actor, torch.rand(2, 2)), _step([0.0, 1.0], [False, False], [True, False]))
    assert torch.equal(actor.memory[0], memory[0])
    assert not torch.equal(actor.memory[1], memory[1])
    assert actor.previous.reward.tolist() == [2.0, 1.0]
    assert actor.previous.done.tolist() == [True, False]
    assert actor.previous.action[0] == previous.action[0]


def test_the_input_of_a_memoryless_policy_is_the_observation_alone():
    obs = torch.tensor([[0.1, 0.2], [0.3, 0.4]])
    acted = _act(_actor(memory="none"), obs)
    assert torch.equal(acted.input.obs, obs)
    assert acted.input.prev.shape == (2, 0)


def test_sampled_actions_are_clipped_to_the_box():
    agent = PolicyAgent(_policy(initial_std=50.0), deterministic=False)
    agent.begin(2)
    assert (agent.act(torch.ones(2, 2)).abs() <= 1).all()
