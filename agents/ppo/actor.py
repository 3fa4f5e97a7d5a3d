"""A policy that acts in trials: as the actor of a rollout in training, and as an agent in evaluation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from metarl.agents.action_noise import ActionNoise
from metarl.agents.networks.actor_critic import PolicyInput
from metarl.agents.ppo.policy import Policy, Previous
from metarl.core import returns
from metarl.core.trials import Step
from metarl.errors import MetarlError


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


class PolicyAgent:
    """A trained policy as an agent (metarl.core.agent). Actions are sampled, or the mode if `deterministic`."""

    def __init__(self, policy: Policy, deterministic: bool, noise: ActionNoise | None = None) -> None:
        self.policy = policy
        self.deterministic = deterministic
        self.noise = noise or ActionNoise()
        self.actor = PolicyActor(policy)

    def begin(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.actor.begin(num_envs, self.noise)

    @torch.no_grad()
    def act(self, obs: Tensor) -> Tensor:
        if obs.shape != (self.num_envs, *self.policy.observation_shape):
            want = [self.num_envs, *self.policy.observation_shape]
            raise MetarlError(f"this agent sees observations of shape {want}, got {list(obs.shape)}")
        self._acted = self.actor.act(obs, None if self.deterministic else self.actor.draw())
        return self._acted.action

    @torch.no_grad()
    def observe(self, step: Step) -> None:
        self.actor.observe(self._acted, step)
