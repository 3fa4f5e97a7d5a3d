"""The actor-critic network of RL² and of its memoryless controls."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from metarl.agents.action_distributions import ActionSpace
from metarl.agents.networks.associative import Associative
from metarl.agents.networks.recurrent import MemoryStep, Recurrent
from metarl.agents.networks.tanh import Tanh

Memory = Literal["gru", "lstm", "associative", "none"]


class PolicyInput(NamedTuple):
    """The input of a policy at one step."""

    obs: Tensor  # float32 [..., *observation], normalised where it is a vector
    prev: Tensor  # float32 [..., X]: last action, last reward, done flag; X = 0 without memory


class Stepper(NamedTuple):
    """The networks, prepared for many single steps."""

    memory: MemoryStep | None  # x [B, I], memory [B, S] -> output [B, H], next memory [B, S]; None without memory
    actor: Callable[[Tensor], Tensor]  # features [B, F] -> distribution parameters [B, P]


class ActorCritic(nn.Module):
    """Actor and critic heads over the observation and the memory; without memory, over the observation alone.

    The heads take the encoded observation directly, beside the memory's output; vectors have no encoder (None).
    obs_size: size of the encoded observation. prev_size: size of the previous step's part of the memory's input.
    clock_size: size of the elapsed time, an input of the critic alone; the value of a finite trial depends on it.
    predicts_rewards: whether there is a third head, for an auxiliary loss.
    """

    def __init__(
        self, memory: Memory, encoder: nn.Module | None, obs_size: int, prev_size: int, clock_size: int,
        actions: ActionSpace, hidden_size: int, head_size: int, initial_std: float, predicts_rewards: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.encoder = encoder
        self.memory = memory_of(memory, obs_size + prev_size, hidden_size)
        hidden = [head_size] if self.memory else [hidden_size, head_size]
        features = obs_size + (hidden_size if self.memory else 0)
        self.actor = mlp([features, *hidden, actions.outputs], last_gain=0.01)
        self.critic = mlp([features + clock_size, *hidden, 1], last_gain=1.0)
        self.log_std = nn.Parameter(torch.full((actions.stds,), math.log(initial_std)))
        # Made only if it is trained: otherwise the draws of the other initial weights would change.
        self.rewards = mlp([features, *hidden, actions.encoded_size + 1], last_gain=0.01) if predicts_rewards else None

    def initial_memory(self, num_envs: int) -> Tensor:
        """Return an empty memory [B, S] (S = 0 without memory)."""
        if self.memory is None:
            return torch.zeros(num_envs, 0, device=self.log_std.device)
        return self.memory.initial_state(num_envs, self.log_std.device)

    @torch.no_grad()
    def stepper(self, in_place: bool = False) -> Stepper:
        """Prepare the current weights for many calls of `step`.

        in_place: read the weights at their addresses, as a CUDA graph requires, so that later updates take effect.
        """
        actor = self.actor if in_place else folded(self.actor)
        return Stepper(self.memory and self.memory.stepper(in_place), actor)

    def step(self, policy_input: PolicyInput, memory: Tensor, stepper: Stepper) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features of the heads [B, F], distribution parameters [B, P] and the next memory [B, S]."""
        features = self.encode(policy_input.obs)
        if stepper.memory is not None:
            out, memory = stepper.memory(torch.cat([features, policy_input.prev], 1), memory)
            features = torch.cat([features, out], 1)
        return features, stepper.actor(features), memory

    def features(self, policy_input: PolicyInput, reset_steps: list[int]) -> Tensor:
        """Return the features [T, B, F] of whole sequences; the memory is reset at each row in `reset_steps`."""
        obs = self.encode(policy_input.obs)
        if self.memory is None:
            return obs
        x = torch.cat([obs, policy_input.prev], -1)
        empty = self.initial_memory(x.shape[1])
        pieces = [self.memory.sequence(part, empty)[0] for part in split_rows(x, reset_steps)]
        return torch.cat([obs, pieces[0] if len(pieces) == 1 else torch.cat(pieces)], -1)

    def encode(self, obs: Tensor) -> Tensor:
        """Return the encoding [..., obs_size] of observations [..., *observation]."""
        return obs if self.encoder is None else self.encoder(obs)

    def value(self, features: Tensor, clock: Tensor) -> Tensor:
        """Return the critic's value [...] of features [..., F] at clock [..., C]."""
        return self.critic(torch.cat([features, clock], -1)).squeeze(-1)

    def reward(self, features: Tensor, action: Tensor) -> Tensor:
        """Return the predicted normalised reward [...] of an encoded action [..., A]; it is linear in the action."""
        assert self.rewards is not None, "this network predicts no rewards"
        out = self.rewards(features)
        return (out[..., :-1] * action).sum(-1) + out[..., -1]


def mlp(sizes: list[int], last_gain: float) -> nn.Sequential:
    """Return linear layers with tanh between them.

    Weights are orthogonal (Saxe et al. 2014) with gain sqrt 2, in the last layer `last_gain`; biases are 0.
    """
    layers: list[nn.Module] = []
    for i, (n, m) in enumerate(pairwise(sizes)):
        last = i == len(sizes) - 2
        linear = nn.Linear(n, m)
        nn.init.orthogonal_(linear.weight, last_gain if last else math.sqrt(2))
        nn.init.zeros_(linear.bias)
        layers += [linear] if last else [linear, Tanh()]
    return nn.Sequential(*layers)


def folded(network: nn.Sequential) -> Callable[[Tensor], Tensor]:
    """Return the function that an `mlp` computes with its current weights, faster for many calls.

    tanh(a) = 2 sigmoid(2 a) - 1; the factors and shifts are folded into copies of the weights.
    """
    linears = [layer for layer in network if isinstance(layer, nn.Linear)]
    layers = []
    for i, linear in enumerate(linears):
        weight, bias = linear.weight.detach().clone(), linear.bias.detach().clone()
        if i > 0:
            weight, bias = 2 * weight, bias - weight.sum(1)
        if i < len(linears) - 1:
            weight, bias = 2 * weight, 2 * bias
        layers.append((weight.t().contiguous(), bias))

    def run(x: Tensor) -> Tensor:
        for weight, bias in layers[:-1]:
            x = torch.addmm(bias, x, weight).sigmoid_()
        weight, bias = layers[-1]
        return torch.addmm(bias, x, weight)

    return run


def memory_of(kind: Memory, input_size: int, hidden_size: int) -> Recurrent | Associative | None:
    """Return a memory of this kind; None for "none"."""
    if kind == "none":
        return None
    return Associative(input_size, hidden_size) if kind == "associative" else Recurrent(kind, input_size, hidden_size)


def split_rows(x: Tensor, reset_steps: list[int]) -> Iterator[Tensor]:
    """Split x [T, ...] before each row in `reset_steps`, of which the first is 0."""
    yield from (x[a:b] for a, b in zip(reset_steps, [*reset_steps[1:], len(x)], strict=True))
