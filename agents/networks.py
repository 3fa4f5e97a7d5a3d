"""The actor-critic of RL² and of its memoryless controls."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from metarl.agents.actions import Actions
from metarl.agents.associative import Associative
from metarl.agents.recurrent import Recurrent, Stepper
from metarl.agents.tanh import Tanh

Memory = Literal["gru", "lstm", "associative", "none"]


class Seen(NamedTuple):
    """What a policy sees in a step."""

    now: Tensor  # float32 [..., *observation], normalised where it is a vector
    before: Tensor  # float32 [..., X]: last action, last reward, done flag; X = 0 without memory


def mlp(sizes: list[int], last_gain: float) -> nn.Sequential:
    """Tanh between linear layers; orthogonal weights (Saxe et al. 2014) of gain sqrt 2, `last_gain` for the last."""
    layers: list[nn.Module] = []
    for i, (n, m) in enumerate(pairwise(sizes)):
        last = i == len(sizes) - 2
        linear = nn.Linear(n, m)
        nn.init.orthogonal_(linear.weight, last_gain if last else math.sqrt(2))
        nn.init.zeros_(linear.bias)
        layers += [linear] if last else [linear, Tanh()]
    return nn.Sequential(*layers)


def folded(network: nn.Sequential) -> Callable[[Tensor], Tensor]:
    """An `mlp` for many calls on the weights as they are now: tanh(a) = 2 sigmoid(2 a) - 1, the rest in the weights."""
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


class Acting(NamedTuple):
    """Networks prepared for many steps on the weights as they are."""

    remember: Stepper | None  # x [B, I], state [B, S] -> output [B, H], next state [B, S]; None without memory
    actor: Callable[[Tensor], Tensor]  # features [B, F] -> [B, P]


class ActorCritic(nn.Module):
    """Actor and critic heads over [what is seen now, memory]; without memory, over what is seen alone.

    The heads see the present directly, beside the memory: the observation as the encoder (None for vectors) puts it.
    now_size: numbers of that. before_size: numbers by which the memory alone is told what came before. clock_size:
    numbers that tell the critic alone how far the trial has come, so that a finite trial's value is a function of its
    inputs. predicts_rewards: whether there is a third head, for an auxiliary loss alone.
    """

    def __init__(
        self, memory: Memory, encoder: nn.Module | None, now_size: int, before_size: int, clock_size: int,
        actions: Actions, hidden_size: int, head_size: int, initial_std: float, predicts_rewards: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.encoder = encoder
        self.memory = memory_of(memory, now_size + before_size, hidden_size)
        hidden = [head_size] if self.memory else [hidden_size, head_size]
        features = now_size + (hidden_size if self.memory else 0)
        self.actor = mlp([features, *hidden, actions.outputs], last_gain=0.01)
        self.critic = mlp([features + clock_size, *hidden, 1], last_gain=1.0)
        self.log_std = nn.Parameter(torch.full((actions.stds,), math.log(initial_std)))
        # Only where it is trained, so that the other weights start as they do without it.
        self.rewards = mlp([features, *hidden, actions.seen_size + 1], last_gain=0.01) if predicts_rewards else None

    def initial_state(self, num_envs: int) -> Tensor:
        """[B, S]: an empty memory (S = 0 without one)."""
        if self.memory is None:
            return torch.zeros(num_envs, 0, device=self.log_std.device)
        return self.memory.initial_state(num_envs, self.log_std.device)

    @torch.no_grad()
    def acting(self, in_place: bool = False) -> Acting:
        """What `step` works with: the weights as they are now, prepared once for many steps.

        in_place: the weights where they are, for a graph, which goes on reading them there.
        """
        actor = self.actor if in_place else folded(self.actor)
        return Acting(self.memory and self.memory.stepper(in_place), actor)

    def step(self, seen: Seen, state: Tensor, acting: Acting) -> tuple[Tensor, Tensor, Tensor]:
        """One step of what is seen [B, ...]: heads' features [B, F], the actor's output [B, P], next state."""
        features = self.encode(seen.now)
        if acting.remember is not None:
            out, state = acting.remember(torch.cat([features, seen.before], 1), state)
            features = torch.cat([features, out], 1)
        return features, acting.actor(features), state

    def features(self, seen: Seen, starts: list[int]) -> Tensor:
        """Features [T, B, F] of whole sequences [T, B, ...]; the memory is empty at each row of `starts`."""
        now = self.encode(seen.now)
        if self.memory is None:
            return now
        x = torch.cat([now, seen.before], -1)
        empty = self.initial_state(x.shape[1])
        pieces = [self.memory.sequence(part, empty)[0] for part in split_rows(x, starts)]
        return torch.cat([now, pieces[0] if len(pieces) == 1 else torch.cat(pieces)], -1)

    def encode(self, now: Tensor) -> Tensor:
        """[..., now_size] from observations [..., *observation]."""
        return now if self.encoder is None else self.encoder(now)

    def value(self, features: Tensor, clock: Tensor) -> Tensor:
        """[...]: the critic's value of features [..., F] at clock [..., C]."""
        return self.critic(torch.cat([features, clock], -1)).squeeze(-1)

    def reward(self, features: Tensor, action: Tensor) -> Tensor:
        """[...]: the reward expected, normalised, of an action [..., A] as an agent sees it: linear in the action."""
        assert self.rewards is not None, "this network predicts no rewards"
        out = self.rewards(features)
        return (out[..., :-1] * action).sum(-1) + out[..., -1]


def memory_of(kind: Memory, input_size: int, hidden_size: int) -> Recurrent | Associative | None:
    """A memory of this kind; None for none."""
    if kind == "none":
        return None
    return Associative(input_size, hidden_size) if kind == "associative" else Recurrent(kind, input_size, hidden_size)


def split_rows(x: Tensor, starts: list[int]) -> Iterator[Tensor]:
    """x [T, ...] cut before each row of `starts` (the first is 0)."""
    yield from (x[a:b] for a, b in zip(starts, [*starts[1:], len(x)], strict=True))
