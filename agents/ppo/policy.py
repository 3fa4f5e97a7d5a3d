"""An actor-critic policy, the normalisation of its inputs, and how it acts in rollouts.

The input at a step is (observation, last action, last reward, done flag), as in RL² (Duan et al. 2016). At the start of
an episode the flag is set, and the last action and reward are those that ended the previous one. Without memory, or if
the memory is wiped at each episode, the input contains nothing of the previous episode.
"""

from __future__ import annotations

from typing import NamedTuple

import gymnasium as gym
import torch
from torch import Tensor, nn

from metarl.agents.action_distributions import ActionDistribution, ActionNoise, action_space_of
from metarl.agents.networks.actor_critic import ActorCritic, PolicyInput
from metarl.agents.networks.encoders import encoder_of
from metarl.agents.networks.normalization import RunningNorm
from metarl.agents.ppo.settings import PolicySettings
from metarl.core import returns
from metarl.core.trials import Step

CLOCK_SIZE = 3
VALUE_SAMPLES = 500_000.0  # limit of the statistics of targets, which change as the agent learns


class Previous(NamedTuple):
    """The step before an observation; zero at the start of a trial."""

    action: Tensor  # float32 [..., A], encoded: within [-1, 1], or one-hot if it is one of n
    reward: Tensor  # float32 [...], raw
    done: Tensor  # bool [...], whether the episode ended with that step


class Policy(nn.Module):
    """The actor-critic network, and running statistics of observations, rewards and values."""

    def __init__(self, observation_space: gym.Space, action_space: gym.Space, settings: PolicySettings) -> None:
        super().__init__()
        encoder = encoder_of(observation_space, settings.encoder_size)
        self.settings = settings
        self.actions = action_space_of(action_space)
        self.observation_shape: tuple[int, ...] = observation_space.shape  # type: ignore[assignment]
        self.has_memory = settings.memory != "none"
        self.prev_size = self.actions.encoded_size + 2 if self.has_memory else 0
        self.network = ActorCritic(
            settings.memory, encoder, settings.encoder_size if encoder else self.observation_shape[0],
            self.prev_size, CLOCK_SIZE, self.actions, settings.hidden_size, settings.head_size, settings.initial_std,
            settings.predicts_rewards,
        )  # fmt: skip
        # Planes and pixels are scaled by the encoder.
        self.observation_norm = None if encoder else RunningNorm(self.observation_shape)
        self.reward_norm = RunningNorm(())
        self.value_norm = RunningNorm((), limit=VALUE_SAMPLES)

    def input(self, obs: Tensor, previous: Previous) -> PolicyInput:
        """Return the input of the network for observations [..., *observation] and the previous step."""
        obs = obs if self.observation_norm is None else self.observation_norm(obs)
        if not self.has_memory:
            return PolicyInput(obs, previous.reward.new_zeros(*previous.reward.shape, 0))
        reward = self.reward_norm.scale(previous.reward).clamp(-10.0, 10.0)
        return PolicyInput(
            obs, torch.cat([previous.action, reward.unsqueeze(-1), previous.done.float().unsqueeze(-1)], -1)
        )

    def dist(self, dist_params: Tensor) -> ActionDistribution:
        """Return the action distribution for the actor's outputs [..., P]."""
        return self.actions.dist(dist_params, self.network.log_std)


class PolicyStep(NamedTuple):
    """The action of a policy at one step of B environments, and the quantities that training needs."""

    action: Tensor  # [B, ...], for the environment
    sample: Tensor  # [B, ...], the action before clipping
    input: PolicyInput
    features: Tensor  # float32 [B, F], the input of the heads
    dist_params: Tensor  # float32 [B, P], the parameters of the action distribution
    memory: Tensor  # [B, S], after this step


class PolicyActor:
    """A policy as an actor. Its memory persists within a trial."""

    graphable = True

    def __init__(self, policy: Policy, in_graph: bool = False) -> None:
        """in_graph: whether steps are captured in a CUDA graph, which reads the weights at their addresses."""
        self.policy = policy
        self.in_graph = in_graph

    def begin(self, num_envs: int, noise: ActionNoise) -> None:
        """Start a trial in each of B environments, with an empty memory."""
        network, device = self.policy.network, self.policy.network.log_std.device
        self.noise = noise
        self.stepper = network.stepper(self.in_graph)
        self.memory = network.initial_memory(num_envs)
        self.previous = Previous(
            torch.zeros(num_envs, self.policy.actions.encoded_size, device=device),
            torch.zeros(num_envs, device=device),
            torch.zeros(num_envs, dtype=torch.bool, device=device),
        )

    def draw(self) -> Tensor:
        like = self.memory.new_empty(len(self.memory), self.policy.actions.outputs)
        return self.policy.actions.draw(self.noise, like)

    def act(self, obs: Tensor, noise: Tensor | None) -> PolicyStep:
        """Return one step; actions are sampled by `noise`, or are the mode if it is None."""
        policy = self.policy
        policy_input = policy.input(obs, self.previous)
        features, dist_params, memory = policy.network.step(policy_input, self.memory, self.stepper)
        action, sample = policy.actions.choose(policy.dist(dist_params), noise)
        return PolicyStep(action, sample, policy_input, features, dist_params, memory)

    def observe(self, acted: PolicyStep, step: Step) -> None:
        if not self.policy.has_memory:
            return
        memory, rest = acted.memory, step.resting
        previous = Previous(self.policy.actions.encode(acted.sample), step.reward, step.terminated | step.truncated)
        if returns.may_hold(rest):  # an environment at rest keeps its memory and its last input
            wide, before = rest.unsqueeze(1), self.previous
            memory = torch.where(wide, self.memory, memory)
            previous = Previous(
                torch.where(wide, before.action, previous.action),
                torch.where(rest, before.reward, previous.reward),
                torch.where(rest, before.done, previous.done),
            )
        if self.policy.settings.wipe_memory:
            keep = ~previous.done
            memory = memory * keep.unsqueeze(1)
            previous = Previous(previous.action * keep.unsqueeze(1), previous.reward * keep, previous.done & keep)
        self.memory, self.previous = memory, previous

    def end_episode(self) -> None:
        self.noise.sync_draws()


def clock(time: Tensor, episode: Tensor, horizon: int, episodes: int) -> Tensor:
    """Return the elapsed fractions of the trial and of its episode, float32 [..., 3], an input of the critic alone."""
    in_episode = time / horizon
    return torch.stack([(episode + in_episode) / episodes, in_episode, episode / episodes], -1).float()
