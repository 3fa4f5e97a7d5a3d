"""An actor-critic living through a trial: the same code acts in training and in evaluation.

What it sees in a step is (observation, last action, last reward, done flag), the rule of RL² (Duan et al. 2016): at a
new episode the flag is set and the last action and reward are those that ended the old one. Without memory, or where
memory is wiped at each episode, nothing of the old episode is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, get_args

import gymnasium as gym
import torch
from torch import Tensor, nn

from metarl import numerics
from metarl.agents.action_laws import Law
from metarl.agents.actions import actions_of
from metarl.agents.encoders import encoder_of
from metarl.agents.networks import ActorCritic, Memory, Seen
from metarl.agents.noise import Noise
from metarl.agents.normalization import RunningNorm
from metarl.checks import check_number, check_whole
from metarl.errors import MetarlError
from metarl.trials import Step


@dataclass(frozen=True)
class PolicySettings:
    """The shape of an actor-critic."""

    memory: Memory = "gru"
    """what carries over from step to step; associative: what came of each step, kept under what was seen there"""
    wipe_memory: bool = False
    """forget everything at each new episode: a control that shows what memory across episodes is worth"""
    hidden_size: int = 128
    """units of the memory, or of the first layer without one"""
    head_size: int = 128
    """units of the actor's and the critic's hidden layer"""
    encoder_size: int = 128
    """features that planes and pixels are encoded into; vectors are seen as they are"""
    initial_std: float = 0.6
    """standard deviation of continuous actions at the start of training; actions live in [-1, 1]"""

    @property
    def predicts_rewards(self) -> bool:
        """Whether the networks have a head for an auxiliary loss."""
        return False

    def __post_init__(self) -> None:
        check_whole(self, "hidden_size", "head_size", "encoder_size", low=1)
        check_number(self, "initial_std", above=0)
        if self.memory not in (kinds := get_args(Memory)):
            raise MetarlError(f"memory must be {', '.join(kinds[:-1])} or {kinds[-1]}, got {self.memory!r}")
        if self.wipe_memory and self.memory == "none":
            raise MetarlError("there is no memory to wipe: memory is 'none', nothing is remembered from step to step")


class Policy(nn.Module):
    """Networks and the normalisation of what goes into them."""

    def __init__(self, observation_space: gym.Space, action_space: gym.Space, settings: PolicySettings) -> None:
        super().__init__()
        encoder = encoder_of(observation_space, settings.encoder_size)
        self.settings = settings
        self.actions = actions_of(action_space)
        self.observation_shape: tuple[int, ...] = observation_space.shape  # type: ignore[assignment]
        self.remembers = settings.memory != "none"
        self.before_size = self.actions.seen_size + 2 if self.remembers else 0
        self.network = ActorCritic(
            settings.memory, encoder, settings.encoder_size if encoder else self.observation_shape[0],
            self.before_size, CLOCK_SIZE, self.actions, settings.hidden_size, settings.head_size, settings.initial_std,
            settings.predicts_rewards,
        )  # fmt: skip
        # Boards and pictures have their scale already.
        self.observation_norm = None if encoder else RunningNorm(self.observation_shape)
        self.reward_norm = RunningNorm(())
        self.value_norm = RunningNorm((), limit=VALUE_SAMPLES)  # the critic's targets grow as the agent learns

    def seen(self, obs: Tensor, last: Last) -> Seen:
        """What the networks see, from observations [..., *observation] and what came before."""
        now = obs if self.observation_norm is None else self.observation_norm(obs)
        if not self.remembers:
            return Seen(now, last.reward.new_zeros(*last.reward.shape, 0))
        reward = self.reward_norm.scale(last.reward).clamp(-10.0, 10.0)
        return Seen(now, torch.cat([last.action, reward.unsqueeze(-1), last.done.float().unsqueeze(-1)], -1))

    def law(self, out: Tensor) -> Law:
        """The law of actions, from the actor's output [..., P]."""
        return self.actions.law(out, self.network.log_std)


CLOCK_SIZE = 3
VALUE_SAMPLES = 500_000.0


def clock(time: Tensor, episode: Tensor, horizon: int, episodes: int) -> Tensor:
    """float32 [..., 3]: shares of the trial and of the episode gone by, for the critic alone."""
    in_episode = time / horizon
    return torch.stack([(episode + in_episode) / episodes, in_episode, episode / episodes], -1).float()


class Last(NamedTuple):
    """What came before an observation; zeros at the start of a trial."""

    action: Tensor  # float32 [..., A], as the world applied it: within [-1, 1]; one-hot where it is one of n
    reward: Tensor  # float32 [...], raw
    done: Tensor  # bool [...], the episode ended with that step


class PolicyAgent:
    """A policy living through trials (contract 8). Actions are sampled, or the mean where `deterministic`."""

    def __init__(self, policy: Policy, deterministic: bool, noise: Noise | None = None) -> None:
        self.policy = policy
        self.deterministic = deterministic
        self.noise = noise or Noise()
        self.in_a_graph = False  # whether `react` is recorded
        self.seen: Seen  # what the last `react` saw, computed and chose, for whoever records it
        self.features: Tensor
        self.out: Tensor
        self.action: Tensor

    def begin(self, num_envs: int) -> None:
        device = self.policy.network.log_std.device
        self._acting = self.policy.network.acting(self.in_a_graph)
        self.state = self._next_state = self.policy.network.initial_state(num_envs)
        self.last = Last(
            torch.zeros(num_envs, self.policy.actions.seen_size, device=device),
            torch.zeros(num_envs, device=device),
            torch.zeros(num_envs, dtype=torch.bool, device=device),
        )

    @torch.no_grad()
    def act(self, obs: Tensor) -> Tensor:
        policy = self.policy
        if obs.shape != (len(self.state), *policy.observation_shape):
            want = [len(self.state), *policy.observation_shape]
            raise MetarlError(f"this agent sees observations of shape {want}, got {list(obs.shape)}")
        return self.react(obs, None if self.deterministic else self.draw())

    def draw(self) -> Tensor:
        """The random numbers of one action each."""
        like = self.state.new_empty(len(self.state), self.policy.actions.outputs)
        return self.policy.actions.noise(self.noise, like)

    @torch.no_grad()
    def react(self, obs: Tensor, noise: Tensor | None) -> Tensor:
        """`act`, by numbers drawn before; the mean action without any."""
        policy = self.policy
        self.seen = policy.seen(obs, self.last)
        self.features, self.out, self._next_state = policy.network.step(self.seen, self.state, self._acting)
        law = policy.law(self.out)
        self.action = law.mode() if noise is None else law.sample(noise)
        return policy.actions.applied(self.action)

    @torch.no_grad()
    def observe(self, step: Step) -> None:
        if not self.policy.remembers:
            return
        done = step.terminated | step.truncated
        # An environment at rest lived through nothing: its memory and what it saw last stay as they were.
        rest, state = step.resting, self._next_state
        last = Last(self.policy.actions.seen(self.action), step.reward, done)
        if numerics.may_hold(rest):
            wide, before = rest.unsqueeze(1), self.last
            state = torch.where(wide, self.state, state)
            last = Last(
                torch.where(wide, before.action, last.action),
                torch.where(rest, before.reward, last.reward),
                torch.where(rest, before.done, last.done),
            )
        self.state, self.last = state, last
        if self.policy.settings.wipe_memory:
            keep = ~self.last.done
            self.state = self.state * keep.unsqueeze(1)
            self.last = Last(self.last.action * keep.unsqueeze(1), self.last.reward * keep, self.last.done & keep)
